"""Agreement of annotators: published examples, other implementations, and the bootstrap."""

import warnings

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from irrCAC.raw import CAC
from statsmodels.stats import inter_rater

from evalplatform.stats import (
    State,
    UnknownOptionError,
    Votes,
    agreement,
)
from evalplatform.stats.people.chance_correction import (
    AC1,
    ALPHA_NOMINAL,
    ALPHA_ORDINAL,
    FLEISS,
    PERCENT,
)
from evalplatform.stats.people.item_draws import BOOTSTRAP_SEED

from .crossed_votes import Design, grid_votes, simulate

COEFFICIENTS = ("percent", "fleiss_kappa", "alpha", "alpha_ordinal", "gwet_ac1")
CHANCE_CORRECTED = COEFFICIENTS[1:4]  # those that one category leaves undefined

# Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: four observers,
# twelve units, missing values; printed there are 0.743 (nominal) and 0.815 (ordinal).
FOUR_OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""

# The same text, section A: two observers, ten units, two categories; alpha 0.095.
TWO_OBSERVERS = ("BABBBBBBAB", "AAABBABBBB")

# Fleiss (1971), table 1: thirty patients, six psychiatrists each, five diagnoses; kappa 0.430.
PSYCHIATRISTS = """
    444444 222555 233335 555555 222444 113333 333355 113334 114444 555555
    144444 124444 222333 144444 224445 333335 111455 111112 224444 133555
    555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
"""

# Gwet (2008), British Journal of Mathematical and Statistical Psychology 61:29-48: 125 subjects,
# two raters, of 125 pairs (+,+) 118, (+,-) 5, (-,+) 2: high agreement beside a kappa below 0.
SKEWED = np.array([[2, 0]] * 118 + [[1, 1]] * 7)


def counts_of(table):
    rows = [line.split() for line in table.strip().splitlines()]
    categories = sorted({cell for row in rows for cell in row} - {"."})
    units = zip(*rows, strict=True)
    return np.array([[float(unit.count(c)) for c in categories] for unit in units])


def value_of(coefficient, counts):
    """Of the items with two votes or more; None where it is undefined."""
    shared = counts[counts.sum(axis=1) >= 2].astype(float)
    values = coefficient.of_many(np.ones((1, len(shared))), shared) if len(shared) else []
    return float(values[0]) if len(values) else None


def study(seed=2, **changed):
    design = {"prompts": 40, "annotators": 12, "votes_per_prompt": 5} | changed
    votes = simulate(Design(**design, prompt_sd=1.2, annotator_sd=0.3), np.random.default_rng(seed))
    kept = np.random.default_rng(seed).random(len(votes)) < 0.8
    return votes.where(kept)


def item_counts(votes):
    counts = np.zeros((votes.n_items, 3))
    np.add.at(counts, (votes.by_item.codes, votes.outcome), 1)
    return counts


def raters_by_items(votes):
    """One row per item, one column per annotator, as irrCAC reads it."""
    table = pd.DataFrame(np.nan, index=range(votes.n_items), columns=range(votes.n_annotators))
    for item, person, outcome in zip(
        votes.by_item.codes, votes.by_annotator.codes, votes.outcome, strict=True
    ):
        table.loc[item, person] = float(outcome)
    return CAC(table, categories=[0.0, 1.0, 2.0])


def values_of(result):
    return [getattr(result, name).value for name in COEFFICIENTS]


def intervals_of(result):
    return [(each.low, each.high) for each in (getattr(result, name) for name in COEFFICIENTS)]


def test_published_example_with_missing_values():
    assert round(value_of(ALPHA_NOMINAL, counts_of(FOUR_OBSERVERS)), 3) == 0.743
    assert round(value_of(ALPHA_ORDINAL, counts_of(FOUR_OBSERVERS)), 3) == 0.815


def test_published_example_of_fleiss():
    counts = [[unit.count(c) for c in "12345"] for unit in PSYCHIATRISTS.split()]
    assert round(value_of(FLEISS, np.array(counts)), 3) == 0.430


def test_published_example_of_gwet_where_kappa_fails():
    assert round(value_of(PERCENT, SKEWED), 3) == 0.944
    assert round(value_of(AC1, SKEWED), 4) == 0.9408
    assert value_of(FLEISS, SKEWED) < 0.0


def test_published_example_with_two_categories_as_votes():
    votes = grid_votes(*("".join(pair) for pair in zip(*TWO_OBSERVERS, strict=True)))
    result = agreement(votes)
    assert round(result.alpha.value, 3) == 0.095
    assert result.percent.value == 0.6
    assert (result.n_items, result.n_votes) == (10, 20)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_krippendorff_package(seed, level):
    votes = study(seed)
    expected = krippendorff.alpha(value_counts=item_counts(votes), level_of_measurement=level)
    result = agreement(votes)
    ours = result.alpha if level == "nominal" else result.alpha_ordinal
    assert ours.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_all_equal_the_irrcac_package(seed):
    """Every item has two or more votes: irrCAC takes the margins from items with one vote too."""
    votes = study(seed)
    often = np.bincount(votes.by_item.codes)[votes.by_item.codes] >= 2
    votes = votes.where(often)
    oracle, ours = raters_by_items(votes), agreement(votes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = {
            "fleiss_kappa": oracle.fleiss()["est"],
            "alpha": oracle.krippendorff()["est"],
            "gwet_ac1": oracle.gwet()["est"],
        }
    for name, answer in expected.items():
        # irrCAC rounds to five decimals.
        assert getattr(ours, name).value == pytest.approx(answer["coefficient_value"], abs=6e-6)
    assert ours.percent.value == pytest.approx(expected["gwet_ac1"]["pa"], abs=6e-6)


def test_kappa_equals_statsmodels():
    votes = simulate(Design(40, 12, 5, 1.0, 0.3), np.random.default_rng(1))
    expected = inter_rater.fleiss_kappa(item_counts(votes))
    assert agreement(votes).fleiss_kappa.value == pytest.approx(expected)


def test_items_with_one_vote_say_nothing_of_agreement():
    with_singles = grid_votes("AAB", "BB-", "T--", "A--")
    without = grid_votes("AAB", "BB-")
    assert agreement(with_singles) == agreement(without)
    assert agreement(with_singles).n_items == 2


def test_independent_votes_are_near_zero_and_alike_ones_are_one():
    rng = np.random.default_rng(4)
    item = np.repeat(np.arange(4000), 5)
    person = np.tile(np.arange(5), 4000)
    independent = Votes(rng.integers(0, 3, 20_000), item, person, item)
    assert values_of(agreement(independent))[1:] == pytest.approx([0.0] * 4, abs=0.02)
    unanimous = Votes(np.repeat(rng.integers(0, 3, 4000), 5), item, person, item)
    assert values_of(agreement(unanimous)) == [1.0] * 5


def test_ordinal_alpha_forgives_ties_and_not_opposites():
    near, far = grid_votes("AT", "TB", "AA", "BB"), grid_votes("AB", "BA", "AA", "BB")
    assert agreement(near).alpha_ordinal.value > agreement(near).alpha.value
    assert agreement(far).alpha_ordinal.value == pytest.approx(agreement(far).alpha.value)


def test_one_category_leaves_kappa_and_alpha_undefined_not_one():
    result = agreement(grid_votes("AAA", "AAA"))
    for name in CHANCE_CORRECTED:
        each = getattr(result, name)
        assert each.state is each.interval_state is State.ONE_CATEGORY
        assert (each.value, each.low, each.high) == (None, None, None)
        assert each.reason == each.interval_reason != ""
    assert result.percent.value == 1.0
    assert result.percent.interval_state is State.NO_VARIATION


def test_no_shared_item_leaves_all_undefined():
    result = agreement(grid_votes("A--", "-B-", "--T"))
    assert values_of(result) == [None] * 5
    assert {getattr(result, name).state for name in COEFFICIENTS} == {State.NO_SHARED_ITEMS}
    assert result.n_items == 0


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("AAB",), State.ONE_ITEM),
        (("AAA", "BBB", "TTT"), State.NO_VARIATION),
        (("AAB", "AAA"), State.UNSTABLE),
    ],
)
def test_interval_that_means_nothing_is_a_named_state(outcomes, state):
    result = agreement(grid_votes(*outcomes)).alpha
    assert result.state is State.DEFINED
    assert result.value is not None
    assert result.interval_state is state
    assert result.interval_reason
    assert (result.low, result.high) == (None, None)


def test_intervals_repeat_with_the_generator_and_without_one():
    votes = study()
    first, again = (agreement(votes, rng=np.random.default_rng(9), level=0.8) for _ in range(2))
    assert first == again
    assert agreement(votes) == agreement(votes)
    assert f"seed {BOOTSTRAP_SEED}" in agreement(votes).method
    assert "seed" not in first.method
    for name in COEFFICIENTS:
        each = getattr(first, name)
        assert each.low < each.value < each.high
        assert (each.n_replicates, each.interval_state) == (1000, State.DEFINED)


def test_multinomial_over_classes_equals_drawing_items_one_by_one():
    """The same intervals, within the error of 4,000 replicates."""
    votes = study(votes_per_prompt=4)
    counts = item_counts(votes)
    counts = counts[counts.sum(axis=1) >= 2]
    fast = agreement(votes, rng=np.random.default_rng(1), replicates=4000)
    rng = np.random.default_rng(2)
    samples = [counts[rng.integers(0, len(counts), len(counts))] for _ in range(4000)]
    singly = (PERCENT, FLEISS, ALPHA_NOMINAL, ALPHA_ORDINAL, AC1)
    for (low, high), each in zip(intervals_of(fast), singly, strict=True):
        slow = np.quantile([value_of(each, sample) for sample in samples], [0.025, 0.975])
        assert (low, high) == pytest.approx(tuple(slow), abs=0.15 * (high - low))


def test_interval_narrows_with_the_number_of_items():
    few, many = (agreement(study(prompts=n)).alpha for n in (30, 30 * 16))
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 4, rel=0.35)


def test_a_copy_of_every_item_changes_no_coefficient_but_alpha_a_little():
    """Alpha counts votes without replacement, so it moves by the order of 1 / votes."""
    votes = study()
    twice = Votes(
        np.tile(votes.outcome, 2),
        np.r_[votes.prompt, votes.prompt + 100],
        np.tile(votes.annotator, 2),
        np.r_[votes.item, votes.item + 100],
    )
    before, after = values_of(agreement(votes)), values_of(agreement(twice))
    assert [before[i] for i in (0, 1, 4)] == pytest.approx([after[i] for i in (0, 1, 4)])
    assert before[2:4] == pytest.approx(after[2:4], abs=1.0 / len(votes))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), max_size=12))
def test_coefficients_are_none_or_finite_and_at_most_one(rows):
    counts = np.array(rows, dtype=float).reshape(-1, 3)
    for each in (ALPHA_NOMINAL, ALPHA_ORDINAL, PERCENT, FLEISS, AC1):
        value, mirrored = value_of(each, counts), value_of(each, counts[:, ::-1])
        assert value is None or -1.0 <= value <= 1.0
        assert (value is None) == (mirrored is None)
        assert value is None or value == pytest.approx(mirrored)


def test_options_outside_range_are_refused():
    with pytest.raises(UnknownOptionError, match="replicates"):
        agreement(study(), replicates=0)
    with pytest.raises(UnknownOptionError, match="level"):
        agreement(study(), level=1.0)
