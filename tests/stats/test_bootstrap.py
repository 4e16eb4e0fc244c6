"""The bootstrap of a gallery against votes copied by hand, and against the formulas of `rank`."""

import numpy as np
import pytest

from evalplatform.stats import PairVotes, State, UnknownOptionError, bootstrap, rank
from evalplatform.stats.ranking.davidson import fit, pair_counts
from evalplatform.stats.ranking.sandwich import clustered_covariance

from .crossed_galleries import GALLERY_DESIGNS, games_of, simulate_gallery, uneven_gallery


def base_votes(name="base"):
    return simulate_gallery(GALLERY_DESIGNS[name], np.random.default_rng(3))


def copied(votes, times):
    """Each vote repeated as often as it counts."""
    rows = np.repeat(np.arange(len(votes)), times)
    names = ("first", "second", "outcome", "prompt", "annotator")
    return PairVotes.from_columns(
        **{name: getattr(votes, name)[rows].astype(int) for name in names}
    )


def drawn(rng, n, replicates):
    """The draws of the bootstrap, in its order, counted one by one."""
    draws = rng.integers(0, n, (replicates, n))
    return np.array([np.bincount(row, minlength=n) for row in draws])


@pytest.mark.parametrize("ties", ["davidson", "half"])
@pytest.mark.parametrize("resample", ["prompts", "prompts_and_annotators"])
@pytest.mark.parametrize("table", [1 << 20, 60])
def test_replicates_are_rankings_of_copied_votes(resample, ties, table, monkeypatch):
    """Also where the table of prompts does not fit at once."""
    monkeypatch.setattr("evalplatform.stats.ranking.pair_tables.TABLE", table)
    monkeypatch.setattr("evalplatform.stats.votes.chunking.BLOCK", 70)
    votes = uneven_gallery()
    made = bootstrap(votes, np.random.default_rng(5), replicates=8, ties=ties, resample=resample)
    rng = np.random.default_rng(5)
    times = drawn(rng, len(votes.prompts), 8)[:, votes.prompt]
    if resample == "prompts_and_annotators":
        times = times * drawn(rng, len(votes.annotators), 8)[:, votes.annotator]
    assert made.n_undefined == 0
    for row, counted in enumerate(times):
        expected = rank(copied(votes, counted), ties=ties)
        assert made.strengths[row] == pytest.approx(expected.values, abs=1e-7)
        if ties == "davidson":
            assert made.nu[row] == pytest.approx(expected.nu.value, rel=1e-6)
    assert (made.nu is None) == (ties == "half")


@pytest.mark.parametrize("name", ["base", "strong annotator habits"])
def test_spread_of_prompt_replicates_is_the_one_way_error_of_prompts(name):
    votes = base_votes(name)
    made = bootstrap(votes, np.random.default_rng(1), replicates=2000)
    formula = clustered_covariance(votes, fit(pair_counts(votes))).prompt
    assert made.strengths.std(axis=0) == pytest.approx(np.sqrt(np.diag(formula)[:4]), rel=0.06)


def test_prompt_intervals_are_too_narrow_and_product_intervals_wider_than_two_way():
    """As the docstring says of strong annotator habits and of few votes per pair."""
    votes = base_votes("strong annotator habits")
    ranking = rank(votes)
    width = np.empty(4)
    for one in ranking.strengths:
        width[one.arm] = one.high - one.low
    prompts, both = (
        bootstrap(votes, np.random.default_rng(1), replicates=400, resample=way)
        for way in ("prompts", "prompts_and_annotators")
    )
    assert np.all(prompts.high - prompts.low < 0.6 * width)
    votes = base_votes("independent")
    two_way = np.sqrt(np.diag(clustered_covariance(votes, fit(pair_counts(votes))).two_way)[:4])
    both = bootstrap(
        votes, np.random.default_rng(1), replicates=400, resample="prompts_and_annotators"
    )
    assert np.all(both.strengths.std(axis=0) > 1.4 * two_way)


def test_intervals_are_percentiles_of_the_replicates():
    made = bootstrap(base_votes(), np.random.default_rng(1), 0.8, replicates=300)
    assert made.low == pytest.approx(np.quantile(made.strengths, 0.1, axis=0))
    assert made.high == pytest.approx(np.quantile(made.strengths, 0.9, axis=0))
    assert made.strengths.sum(axis=1) == pytest.approx(np.zeros(300), abs=1e-9)
    assert made.strengths.shape == (300, 4)


def test_same_generator_same_replicates():
    one, again, other = (
        bootstrap(base_votes(), np.random.default_rng(seed), replicates=20) for seed in (1, 1, 2)
    )
    assert (one.strengths == again.strengths).all()
    assert not (one.strengths == other.strengths).all()


def test_replicates_without_strengths_are_counted_and_many_make_it_unstable():
    votes = games_of(("x", "y", 9, 1, 2))
    made = bootstrap(votes, np.random.default_rng(1), replicates=200)
    assert made.state is State.UNSTABLE
    assert "leave the strengths open" in made.reason
    assert (made.low, made.high) == (None, None)
    assert made.n_undefined == 200 - len(made.strengths)
    assert 0.3 < made.n_undefined / 200 < 0.6  # (11/12)^12 lack the loss, (10/12)^12 the ties
    assert np.isfinite(made.strengths).all()


def test_a_few_replicates_without_strengths_are_left_out():
    votes = games_of(("x", "y", 40, 4, 9))
    made = bootstrap(votes, np.random.default_rng(1), replicates=300)
    assert made.state is State.DEFINED
    assert 0 < made.n_undefined < 15
    assert len(made.strengths) == 300 - made.n_undefined


@pytest.mark.parametrize(
    ("votes", "resample", "state"),
    [
        (games_of(("x", "y", 5, 0, 0)), "prompts", State.SEPARATED),
        (games_of(("x", "y", 0, 0, 5)), "prompts", State.NO_DECIDED_VOTES),
        (
            PairVotes.from_columns(
                first=["x"] * 3,
                second=["y"] * 3,
                outcome=["A", "B", "A"],
                prompt=[1, 1, 1],
                annotator=[1, 2, 3],
            ),
            "prompts",
            State.ONE_PROMPT,
        ),
        (
            PairVotes.from_columns(
                first=["x"] * 3,
                second=["y"] * 3,
                outcome=["A", "B", "A"],
                prompt=[1, 2, 3],
                annotator=[1, 1, 1],
            ),
            "prompts_and_annotators",
            State.ONE_ANNOTATOR,
        ),
    ],
)
def test_votes_that_allow_no_bootstrap_are_a_named_state(votes, resample, state):
    made = bootstrap(votes, np.random.default_rng(1), replicates=20, resample=resample)
    assert made.state is state
    assert made.reason
    assert (made.low, made.high, len(made.strengths)) == (None, None, 0)


def test_options_outside_what_is_offered_are_refused():
    votes = base_votes()
    rng = np.random.default_rng(1)
    with pytest.raises(UnknownOptionError, match="'votes'"):
        bootstrap(votes, rng, resample="votes")
    with pytest.raises(UnknownOptionError, match="replicates is 1"):
        bootstrap(votes, rng, replicates=1)
    with pytest.raises(UnknownOptionError, match="'drop'"):
        bootstrap(votes, rng, ties="drop")
