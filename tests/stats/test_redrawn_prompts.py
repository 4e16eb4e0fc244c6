"""Studies with prompts drawn again, against votes copied by hand and the formula of `sandwich`."""

from dataclasses import replace

import numpy as np
import pytest

from evalplatform.stats import rank
from evalplatform.stats.ranking.davidson import fit, pair_counts
from evalplatform.stats.ranking.influence import redrawn_strengths
from evalplatform.stats.ranking.sandwich import clustered_covariance

from .crossed_galleries import GALLERY_DESIGNS, games_of, simulate_gallery, uneven_gallery


def redrawn(votes, replicates, ties="davidson", seed=1):
    fitted = fit(pair_counts(votes), ties)
    rng = np.random.default_rng(seed)
    return redrawn_strengths(votes, fitted, rng, replicates=replicates, ties=ties)


def drawn(rng, n, replicates):
    """The draws of the bootstrap, in its order, counted one by one."""
    draws = rng.integers(0, n, (replicates, n))
    return np.array([np.bincount(row, minlength=n) for row in draws])


@pytest.mark.parametrize("ties", ["davidson", "half"])
@pytest.mark.parametrize("table", [1 << 20, 60])
def test_replicates_are_rankings_of_copied_votes(ties, table, monkeypatch):
    """Also where the table of prompts does not fit at once."""
    monkeypatch.setattr("evalplatform.stats.ranking.pair_tables.TABLE", table)
    votes = uneven_gallery()
    made = redrawn(votes, 8, ties, seed=5)
    times = drawn(np.random.default_rng(5), len(votes.prompts), 8)[:, votes.prompt]
    assert len(made) == 8
    for row, counted in enumerate(times):
        copied = votes.where(counted > 0)
        copies = np.repeat(np.arange(len(copied)), counted[counted > 0])
        columns = ("first", "second", "outcome", "prompt", "annotator", "vote")
        expected = rank(
            replace(copied, **{name: getattr(copied, name)[copies] for name in columns}), ties=ties
        )
        assert made[row] == pytest.approx(expected.values, abs=1e-7)


@pytest.mark.parametrize("name", ["base", "strong annotator habits"])
def test_spread_of_replicates_is_the_one_way_error_of_prompts(name):
    votes = simulate_gallery(GALLERY_DESIGNS[name], np.random.default_rng(3))
    made = redrawn(votes, 2000)
    formula = clustered_covariance(votes, fit(pair_counts(votes))).prompt
    assert made.std(axis=0) == pytest.approx(np.sqrt(np.diag(formula)[:4]), rel=0.06)
    assert made.sum(axis=1) == pytest.approx(np.zeros(2000), abs=1e-9)


def test_same_generator_same_replicates():
    votes = uneven_gallery()
    one, again, other = (redrawn(votes, 20, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert not (one == other).all()


def test_replicates_without_strengths_are_left_out():
    made = redrawn(games_of(("x", "y", 9, 1, 2)), 200)
    assert 0.3 < 1 - len(made) / 200 < 0.6  # (11/12)^12 lack the loss, (10/12)^12 the ties
    assert np.isfinite(made).all()
    assert 285 < len(redrawn(games_of(("x", "y", 40, 4, 9)), 300)) < 300
