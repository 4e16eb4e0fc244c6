"""Share of left choices against one half."""

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

from evalplatform.stats import ColumnTypeError, LengthMismatchError, State, side_bias


def choices(seed=1, lean_sd=0.15, people=20, each=30):
    """Left choices of people who each lean a little to one side."""
    rng = np.random.default_rng(seed)
    lean = np.clip(0.5 + lean_sd * rng.standard_normal(people), 0.02, 0.98)
    annotator = np.repeat(np.arange(people), each)
    return rng.random(people * each) < lean[annotator], annotator


def test_share_is_clustered_by_annotator_as_in_statsmodels():
    left, annotator = choices()
    fit = sm.OLS(left.astype(float), np.ones(len(left))).fit()
    estimate = side_bias(left, annotator).left
    assert estimate.value == pytest.approx(left.mean())
    x = 600 * estimate.value * (1 - estimate.value)  # the steadying of `effective_votes`, by hand
    icc = 0.1 * (4 * (x + 1) / 604) ** 0.6
    assumed = estimate.value * (1 - estimate.value) * (icc / 20 + (1 - icc) / 599)
    steadied = (x * cov_cluster(fit, annotator).item() + 2 * assumed) / (x + 2)
    assert estimate.se**2 == pytest.approx(steadied)
    assert (estimate.df, estimate.n_votes, estimate.n_annotators) == (19, 600, 20)
    assert estimate.n_prompts is None
    assert "clustered by annotator" in estimate.method


def test_singletons_give_the_one_sample_score_test():
    """Each choice by another person: n_effective is n - 1 and the quantile is t's."""
    result = side_bias([1] * 16 + [0] * 4, range(20))
    assert result.t == pytest.approx(0.3 / np.sqrt(0.25 / 19), rel=0.01)
    assert result.p_value == pytest.approx(2 * scipy.stats.t.sf(result.t, 19))


def test_p_value_is_below_five_percent_exactly_where_the_interval_leaves_out_one_half():
    seen = set()
    for seed in range(60):
        result = side_bias(*choices(seed, people=8))
        holds_half = result.left.low <= 0.5 <= result.left.high
        assert (result.p_value < 0.05) == (not holds_half)
        seen.add(holds_half)
    assert seen == {True, False}


def test_leaning_people_widen_the_interval_beyond_that_of_independent_choices():
    left, annotator = choices(lean_sd=0.3)
    clustered = side_bias(left, annotator).left
    independent = side_bias(left, range(len(left))).left
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)
    assert clustered.design_effect > 4


def test_test_keeps_its_size_when_people_lean_but_the_pool_does_not():
    rejected = [side_bias(*choices(seed)).p_value < 0.05 for seed in range(300)]
    assert 0.01 <= np.mean(rejected) <= 0.10


def test_exchanging_left_and_right_mirrors_the_share():
    left, annotator = choices()
    one, other = side_bias(left, annotator), side_bias(~left, annotator)
    assert one.left.low == pytest.approx(1 - other.left.high)
    assert one.t == pytest.approx(-other.t)
    assert one.p_value == pytest.approx(other.p_value)


def test_always_left_by_two_people_says_little_of_others_and_by_twenty_much():
    two = side_bias([True] * 40, ["ana", "ben"] * 20)
    assert two.left.value == 1.0
    assert two.left.low < 0.5
    assert two.p_value > 0.05
    twenty = side_bias([True] * 200, list(range(20)) * 10)
    assert twenty.left.low > 0.8
    assert twenty.p_value < 0.001


@pytest.mark.parametrize(
    ("left", "annotator", "state"),
    [([], [], State.NO_DECIDED_VOTES), ([1, 0, 1], ["ana"] * 3, State.ONE_ANNOTATOR)],
)
def test_no_decided_vote_or_one_annotator_is_a_named_state(left, annotator, state):
    result = side_bias(left, annotator)
    assert result.state is state
    assert result.reason
    assert result.left.value == (pytest.approx(2 / 3) if left else None)
    assert (result.left.low, result.t, result.p_value) == (None, None, None)


@pytest.mark.parametrize("left", [[0, 1, 2], [0.0, 1.0, 0.5], ["L", "R", "L"], [[1, 0, 1]]])
def test_other_than_true_and_false_is_refused(left):
    with pytest.raises(ColumnTypeError, match="chosen_left"):
        side_bias(left, ["ana", "ben", "ana"])


def test_columns_of_different_length_are_refused():
    with pytest.raises(LengthMismatchError, match="chosen_left has 3, annotator has 2"):
        side_bias([1, 0, 1], ["ana", "ben"])
