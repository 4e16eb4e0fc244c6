"""Degrees of freedom: Bell and McCaffrey's matrices written out, and what V is made of."""

import numpy as np
import pytest

from evalplatform.stats import Votes, win_rates
from evalplatform.stats.inference.degrees import one_way_df, two_way_df

from .crossed_votes import Design, simulate


@pytest.mark.parametrize("seed", range(4))
def test_one_way_is_trace_squared_over_trace_of_the_square(seed):
    size = np.random.default_rng(seed).integers(1, 40, 12).astype(float)
    w = size / size.sum()
    centre = np.eye(12) - np.outer(np.ones(12), w)
    divisor = (1 - w) ** 2 + (w**2).sum() - w**2
    matrix = centre.T @ np.diag(w**2 / divisor) @ centre
    expected = np.trace(matrix) ** 2 / np.trace(matrix @ matrix)
    assert one_way_df(size) == pytest.approx(expected)
    assert one_way_df(np.append(size, 0.0)) == one_way_df(size)


def test_one_way_is_that_of_the_simulated_variance():
    """A chi-squared with df degrees of freedom has variance 2 mean^2 / df."""
    w = np.array([30.0, 10.0, 5.0, 3.0, 1.0, 1.0])
    effects = np.random.default_rng(1).standard_normal((200_000, len(w)))
    share = w / w.sum()
    scores = share * (effects - (effects @ share)[:, None])
    v = (scores**2 / ((1 - share) ** 2 + (share**2).sum() - share**2)).sum(axis=1)
    assert v.mean() == pytest.approx((share**2).sum(), rel=0.02)  # unbiased
    assert 2 * v.mean() ** 2 / v.var() == pytest.approx(one_way_df(w), rel=0.04)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_clusters_of_one_size_have_one_fewer(count):
    assert one_way_df(np.full(count, 7.0)) == count - 1


def test_few_large_clusters_have_fewer_and_never_fewer_than_one():
    assert one_way_df(np.array([100.0, 1.0, 1.0, 1.0])) < 1.1
    for largest in (1e3, 1e6, 1e9, 1e12):
        assert one_way_df(np.array([largest, 1.0, 1.0])) == pytest.approx(1.0, abs=1e-3)


def test_two_way_is_satterthwaites_between_the_two():
    assert two_way_df(2.5, (1.5, 199.0), (2.0, 4.0)) == pytest.approx(
        2.5**2 / (1.5**2 / 199 + 2.0**2 / 4)
    )


def test_crossing_a_floor_changes_the_degrees_of_freedom_by_as_little_as_the_variance():
    """V = Vp + Va - Vpa falls onto Vp as Va falls onto Vpa: no jump from 7 to 199."""
    crossing = [
        two_way_df(max(1.5 + va - 1.2, 1.5), (1.5, 199.0), (va, 4.0))
        for va in np.linspace(1.1, 1.3, 201)
    ]
    assert np.abs(np.diff(np.log(crossing))).max() < 0.002


def test_two_way_is_never_fewer_than_the_smaller_clustering_has():
    assert two_way_df(1.01, (1.0, 4.0), (1.0, 4.0)) == 4.0


def test_annotators_count_only_where_they_differ():
    """Five people on 200 prompts: of strong habits, they decide; of one mind, the prompts do."""
    degrees = {}
    for habit in (0.0, 1.5):
        design = Design(200, 5, 5, prompt_sd=1.5, annotator_sd=habit)
        rng = np.random.default_rng(4)
        degrees[habit] = np.median([win_rates(simulate(design, rng)).win.df for _ in range(40)])
    assert degrees[0.0] > 5 * degrees[1.5]
    assert degrees[1.5] < 8


def test_an_annotator_with_half_of_the_votes_leaves_few_degrees_of_freedom():
    person = np.arange(400) % 20
    outcome = np.where(person % 2, 0, 2)  # each says one thing on every prompt
    even, uneven = (
        win_rates(Votes(outcome, np.arange(400), people, np.arange(400))).win
        for people in (person, np.where(person < 10, person % 2, person))
    )
    assert 19 <= even.df < 22
    few = one_way_df(np.array([100.0, 100.0] + [20.0] * 10))
    assert few <= uneven.df < few + 1
    assert few < 5
