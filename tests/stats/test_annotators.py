"""Profiles of annotators: each figure against a count by hand or another implementation."""

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from evalplatform.stats import (
    ColumnTypeError,
    LengthMismatchError,
    State,
    UnknownOutcomeError,
    Votes,
    annotators,
    majority_of_others,
    medians_by,
    proportion,
)

from .crossed_votes import Design, grid_votes, simulate, swapped


def study(seed=0, prompts=200, annotators=10):
    return simulate(Design(prompts, annotators, 5, 1.5, 0.3), np.random.default_rng(seed))


def with_guessers(n_guessers=2):
    """Ten people on 200 items; the last ones answer by chance."""
    votes, rng = study(), np.random.default_rng(1)
    guess = votes.annotator >= 10 - n_guessers
    outcome = np.where(guess, rng.integers(0, 3, len(votes)), votes.outcome)
    return Votes(outcome, votes.prompt, votes.annotator, votes.item)


@pytest.mark.parametrize(("hits", "total"), [(0, 9), (4, 9), (9, 9), (300, 1000)])
def test_wilson_interval_equals_statsmodels(hits, total):
    low, high = proportion_confint(hits, total, method="wilson")
    ours = proportion(hits, total)
    assert (ours.low, ours.high) == pytest.approx((low, high))
    assert ours.value == hits / total


def test_share_of_nothing_is_a_named_state_and_of_more_than_all_an_error():
    nothing = proportion(0, 0)
    assert (nothing.value, nothing.low, nothing.state) == (None, None, State.NO_ANSWERS)
    assert nothing.reason
    with pytest.raises(ColumnTypeError, match="3 hits of 2"):
        proportion(3, 2)


def test_majority_leaves_the_voter_out():
    votes = grid_votes("AAB", "ABT", "AAAB", "TT-")
    majority, known = majority_of_others(votes.item, votes.outcome)
    by_hand = []
    for row in range(len(votes)):
        mates = (votes.item == votes.item[row]) & (np.arange(len(votes)) != row)
        counts = np.bincount(votes.outcome[mates], minlength=3)
        top = counts.argmax() if counts.sum() >= 2 and 2 * counts.max() > counts.sum() else None
        by_hand.append(top)
    found = [int(m) if k else None for m, k in zip(majority, known, strict=True)]
    assert found == by_hand
    assert None in by_hand
    assert 0 in by_hand


def test_vote_that_does_not_count_is_compared_and_is_nobodys_other():
    counts = [True, True, True, False]
    majority, known = majority_of_others([1, 1, 1, 1], [0, 0, 2, 0], counts)
    assert known.tolist() == [False, False, True, True]
    assert majority[known].tolist() == [0, 0]


def test_medians_are_numpys():
    rng = np.random.default_rng(2)
    ids, values = rng.integers(0, 7, 101), rng.normal(size=101)
    values[::10] = np.nan
    who, medians = medians_by(ids, values)
    assert who.tolist() == list(range(7))
    assert medians == pytest.approx([np.nanmedian(values[ids == one]) for one in who])


def test_every_figure_by_hand():
    votes = grid_votes("AAAB", "BBBA", "TTTA", "AAAA")
    left = np.array([1, 0, 1, 1] * 4)
    times = np.array([100.0, 200.0, 300.0, np.nan] * 4)
    result = annotators(
        votes,
        chosen_left=left,
        response_ms=times,
        gold_annotator=[3, 3, 9],
        gold_right=[True, False, True],
    )
    last, other = result.by_id()[3], result.by_id()[0]
    assert (last.agreement.hits, last.agreement.total) == (1, 4)
    assert (last.gold.hits, last.gold.total) == (1, 2)
    assert (other.agreement.hits, other.agreement.total) == (4, 4)
    assert (last.left.hits, last.left.total) == (4, 4)
    assert last.side_p_value == pytest.approx(binomtest(4, 4).pvalue)
    assert (last.ties.hits, other.ties.hits, other.ties.total) == (0, 1, 4)
    assert (other.left.hits, other.left.total) == (3, 3)
    assert (other.median_ms, last.median_ms) == (100.0, None)
    assert last.accuracy < other.accuracy
    assert [sum(row) for row in last.confusion] == pytest.approx([1.0] * 3)
    only_gold = result.by_id()[9]
    assert (only_gold.n_votes, only_gold.gold.value) == (0, 1.0)
    assert only_gold.agreement.state is State.NO_ANSWERS
    assert (only_gold.accuracy, only_gold.confusion, only_gold.outlier_z) == (None, None, None)


@pytest.mark.parametrize("hits", range(0, 21, 4))
def test_side_bias_equals_the_binomial_test(hits):
    votes = study(prompts=20)
    left = np.zeros(len(votes))
    mine = np.flatnonzero((votes.annotator == 0) & (votes.outcome != 1))
    left[mine[:hits]] = 1
    profile = annotators(votes, chosen_left=left).by_id()[0]
    expected = binomtest(min(hits, len(mine)), len(mine)).pvalue
    assert profile.side_p_value == pytest.approx(expected)


def test_guessers_are_the_outliers():
    result = annotators(with_guessers())
    assert result.outlier_state is State.DEFINED
    z = [each.outlier_z for each in result.profiles]
    assert max(z[8:]) < -3.5 < min(z[:8])
    assert [each.is_outlier for each in result.profiles] == [False] * 8 + [True] * 2
    assert max(each.accuracy for each in result.profiles[8:]) < min(
        each.accuracy for each in result.profiles[:8]
    )


def test_people_alike_are_no_outliers():
    flagged = sum(
        each.is_outlier for seed in range(12) for each in annotators(study(seed)).profiles
    )
    assert flagged <= 4  # of 120


def test_exchanging_a_and_b_changes_no_profile():
    votes = with_guessers()
    for one, two in zip(
        annotators(votes).profiles, annotators(swapped(votes)).profiles, strict=True
    ):
        assert one.agreement == two.agreement
        assert one.ties == two.ties
        assert one.accuracy == pytest.approx(two.accuracy, abs=1e-6)
        assert one.outlier_z == pytest.approx(two.outlier_z)


def test_new_names_and_another_order_change_nothing():
    votes, order = with_guessers(), np.random.default_rng(3).permutation(1000)
    names = np.random.default_rng(4).permutation(10)
    other = Votes(
        votes.outcome[order],
        votes.prompt[order],
        names[votes.annotator[order]],
        votes.item[order],
    )
    before, after = annotators(votes).by_id(), annotators(other).by_id()
    for who in range(10):
        one, two = before[who], after[int(names[who])]
        assert one.agreement == two.agreement
        assert (one.accuracy, one.outlier_z) == pytest.approx((two.accuracy, two.outlier_z))


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("A", "B"), State.FEW_ANNOTATORS),
        (("AAAAAA", "AAAAAA"), State.FEW_ANNOTATORS),
        (("AB", "BA"), State.FEW_ANNOTATORS),
    ],
)
def test_too_little_to_compare_is_a_named_state(outcomes, state):
    result = annotators(grid_votes(*outcomes))
    assert result.outlier_state is state
    assert result.outlier_reason
    assert {each.outlier_z for each in result.profiles} == {None}
    assert all(each.left.state is State.NO_ANSWERS for each in result.profiles)


def test_columns_that_do_not_fit_are_refused():
    votes = study()
    with pytest.raises(LengthMismatchError, match="chosen_left"):
        annotators(votes, chosen_left=[1, 0])
    with pytest.raises(LengthMismatchError, match="response_ms"):
        annotators(votes, response_ms=[1.0])
    with pytest.raises(LengthMismatchError, match="gold_right"):
        annotators(votes, gold_annotator=[1, 2], gold_right=[1])
    with pytest.raises(ColumnTypeError, match="gold_right"):
        annotators(votes, gold_annotator=[1], gold_right=[2])
    with pytest.raises(UnknownOutcomeError, match="3"):
        majority_of_others([1, 1], [0, 3])
    with pytest.raises(LengthMismatchError, match="item has 2"):
        majority_of_others([1, 1], [0])
    with pytest.raises(LengthMismatchError, match="values"):
        medians_by([1, 1], [0.0])
