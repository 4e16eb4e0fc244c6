"""Agreement of annotators: published examples, the krippendorff package, and the bootstrap."""

import krippendorff
import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa

from evalplatform.stats import (
    State,
    UnknownOptionError,
    Votes,
    agreement,
    nominal_alpha,
    percent_agreement,
)
from evalplatform.stats.reliability import bootstrap_alphas

from .crossed_votes import Design, grid_votes, simulate

# Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: four observers,
# twelve units, missing values; the nominal alpha printed there is 0.743.
FOUR_OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""

# The same text, section A: two observers, ten units, two categories; alpha 0.095.
TWO_OBSERVERS = ("BABBBBBBAB", "AAABBABBBB")


def counts_of(table):
    rows = [line.split() for line in table.strip().splitlines()]
    categories = sorted({cell for row in rows for cell in row} - {"."})
    units = zip(*rows, strict=True)
    return np.array([[float(unit.count(c)) for c in categories] for unit in units])


def study(seed=2, **changed):
    design = {"prompts": 40, "annotators": 12, "votes_per_prompt": 5} | changed
    votes = simulate(Design(**design, prompt_sd=1.2, annotator_sd=0.3), np.random.default_rng(seed))
    kept = np.random.default_rng(seed).random(len(votes)) < 0.8
    return votes.where(kept)


def item_counts(votes):
    counts = np.zeros((votes.n_items, 3))
    np.add.at(counts, (votes.by_item.codes, votes.outcome), 1)
    return counts


def test_published_example_with_missing_values():
    assert round(nominal_alpha(counts_of(FOUR_OBSERVERS)), 3) == 0.743


def test_published_example_with_two_categories_as_votes():
    votes = grid_votes(*("".join(pair) for pair in zip(*TWO_OBSERVERS, strict=True)))
    result = agreement(votes)
    assert round(result.alpha, 3) == 0.095
    assert result.percent == 0.6
    assert (result.n_items, result.n_votes) == (10, 20)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_krippendorff_package(seed):
    votes = study(seed)
    expected = krippendorff.alpha(value_counts=item_counts(votes), level_of_measurement="nominal")
    assert agreement(votes).alpha == pytest.approx(expected, abs=1e-12)


def test_percent_agreement_is_the_observed_part_of_fleiss_kappa():
    votes = simulate(Design(40, 12, 5, 1.0, 0.3), np.random.default_rng(1))
    counts = item_counts(votes)
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    percent = agreement(votes).percent
    assert (percent - chance) / (1 - chance) == pytest.approx(fleiss_kappa(counts))


def test_items_with_one_vote_say_nothing_of_agreement():
    with_singles = grid_votes("AAB", "BB-", "T--", "A--")
    without = grid_votes("AAB", "BB-")
    assert agreement(with_singles) == agreement(without)
    assert agreement(with_singles).n_items == 2


def test_independent_votes_have_alpha_near_zero_and_alike_ones_near_one():
    rng = np.random.default_rng(4)
    item = np.repeat(np.arange(4000), 5)
    person = np.tile(np.arange(5), 4000)
    independent = Votes(rng.integers(0, 3, 20_000), item, person, item)
    assert agreement(independent).alpha == pytest.approx(0.0, abs=0.02)
    unanimous = Votes(np.repeat(rng.integers(0, 3, 4000), 5), item, person, item)
    assert agreement(unanimous).alpha == 1.0
    assert agreement(unanimous).percent == 1.0


def test_one_category_leaves_alpha_undefined_not_one():
    result = agreement(grid_votes("AAA", "AAA"), rng=np.random.default_rng(0))
    assert result.state is State.ONE_CATEGORY
    assert (result.alpha, result.low, result.high) == (None, None, None)
    assert result.percent == 1.0
    assert result.reason == result.interval_reason != ""


def test_no_shared_item_leaves_both_undefined():
    result = agreement(grid_votes("A--", "-B-", "--T"), rng=np.random.default_rng(0))
    assert result.state is result.interval_state is State.NO_SHARED_ITEMS
    assert (result.percent, result.alpha, result.n_items) == (None, None, 0)
    assert nominal_alpha(np.zeros((0, 3))) is None
    assert percent_agreement(np.zeros((0, 3))) is None


def test_without_rng_there_is_no_interval_and_the_state_says_so():
    result = agreement(study())
    assert result.state is State.DEFINED
    assert (result.low, result.high, result.n_replicates) == (None, None, 0)
    assert result.interval_state is State.NO_RNG
    assert "rng" in result.interval_reason


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("AAB",), State.ONE_ITEM),
        (("AAA", "BBB", "TTT"), State.NO_VARIATION),
        (("AAB", "AAA"), State.UNSTABLE),
    ],
)
def test_interval_that_means_nothing_is_a_named_state(outcomes, state):
    result = agreement(grid_votes(*outcomes), rng=np.random.default_rng(0))
    assert result.state is State.DEFINED
    assert result.alpha is not None
    assert result.interval_state is state
    assert result.interval_reason
    assert (result.low, result.high) == (None, None)


def test_interval_holds_the_quantiles_of_the_replicates_and_repeats_with_the_seed():
    votes = study()
    result = agreement(votes, rng=np.random.default_rng(9), replicates=500, level=0.8)
    alphas = bootstrap_alphas(item_counts(votes), np.random.default_rng(9), 500)
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(alphas, [0.1, 0.9])))
    assert result == agreement(votes, rng=np.random.default_rng(9), replicates=500, level=0.8)
    assert result.low < result.alpha < result.high
    assert (result.n_replicates, result.interval_state) == (500, State.DEFINED)


def test_multinomial_over_classes_equals_drawing_items_one_by_one():
    """Same mean and spread of alpha, within the error of 3,000 replicates."""
    counts = item_counts(study(votes_per_prompt=4))
    counts = counts[counts.sum(axis=1) >= 2]
    fast = bootstrap_alphas(counts, np.random.default_rng(1), 3000)
    rng = np.random.default_rng(2)
    slow = np.array(
        [nominal_alpha(counts[rng.integers(0, len(counts), len(counts))]) for _ in range(3000)]
    )
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() * np.sqrt(2 / 3000))
    assert fast.std() == pytest.approx(slow.std(), rel=0.08)


def test_interval_narrows_with_the_number_of_items():
    few, many = (agreement(study(prompts=n), rng=np.random.default_rng(3)) for n in (30, 30 * 16))
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 4, rel=0.35)


def test_options_outside_range_are_refused():
    with pytest.raises(UnknownOptionError, match="replicates"):
        agreement(study(), replicates=0)
    with pytest.raises(UnknownOptionError, match="level"):
        agreement(study(), level=1.0)
