"""Figures of a panel against the definitions, by hand and by another way of computing."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata

from evalplatform.flows.answers import figures_of


def test_a_panel_without_votes_has_no_figures():
    found = figures_of({}, 3)
    assert (found.votes, found.mean_ranks, found.borda) == (0, None, None)
    assert found.preferred == [[0, 0, 0]] * 3


def test_ranks_of_one_vote_are_its_places():
    found = figures_of({"{0,2,1}": 1}, 3)
    assert found.mean_ranks == [3, 1, 2]
    assert found.borda == [0, 1, 0.5]
    assert found.preferred == [[0, 0, 0], [1, 0, 1], [1, 0, 0]]


def test_images_that_tie_share_the_mean_of_their_ranks():
    assert figures_of({"{1,1,0,0}": 2}, 4).mean_ranks == [1.5, 1.5, 3.5, 3.5]
    assert figures_of({"{0,0}": 3}, 2).borda == [0.5, 0.5]


def test_mean_ranks_are_those_of_scipy():
    rng = np.random.default_rng(3)
    for n in range(2, 9):
        votes = rng.integers(0, n, (7, n))
        said: dict[str, int] = {}
        for grades in votes:
            text = "{" + ",".join(map(str, grades)) + "}"
            said[text] = said.get(text, 0) + 1
        found = figures_of(said, n)
        ranks = np.mean([rankdata(-each) for each in votes], axis=0)
        assert found.mean_ranks == pytest.approx(ranks)
        assert found.borda == pytest.approx((n - ranks) / (n - 1))
        for i, j in itertools.permutations(range(n), 2):
            assert found.preferred[i][j] == (votes[:, i] > votes[:, j]).sum()


def test_one_image_has_its_mean_grade_alone():
    found = figures_of({"{4}": 3, "{1}": 1}, 1)
    assert (found.mean_grade, found.mean_ranks, found.borda) == (3.25, None, None)


def test_grades_of_another_panel_are_refused():
    with pytest.raises(ValueError, match="of 3 images"):
        figures_of({"{1,0}": 1}, 3)
