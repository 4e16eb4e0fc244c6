"""What must hold for any gallery: renaming, exchanging sides, reordering, copying."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalplatform.stats import State, rank

from .crossed_galleries import pair_votes

QUICK = settings(max_examples=80, deadline=None, derandomize=True)
NAMES = ("first", "second", "outcome", "prompt", "annotator")

row = st.tuples(
    st.integers(0, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 4), st.integers(0, 4)
)
any_columns = st.lists(row, min_size=4, max_size=60).map(
    lambda rows: np.array([(a, (a + gap) % 4, y, p, j) for a, gap, y, p, j in rows]).T
)
ways = st.sampled_from(["davidson", "half"])


def votes_of(columns):
    return pair_votes(**dict(zip(NAMES, columns, strict=True)))


def same(one, other, names=None):
    """Whether two rankings agree up to rounding, arms matched by id (or by `names`)."""
    assert one.state is other.state
    assert one.interval_state is other.interval_state
    if one.values is None:
        return
    names = names or (lambda arm: arm)
    matched = {strength.arm: strength for strength in other.strengths}
    for strength in one.strengths:
        twin = matched[names(strength.arm)]
        assert twin.rank == strength.rank or math.isclose(twin.value, strength.value, abs_tol=1e-6)
        for name in ("value", "se", "low", "high"):
            before, after = getattr(strength, name), getattr(twin, name)
            assert (before is None) == (after is None)
            assert before is None or after == pytest.approx(before, rel=1e-5, abs=1e-6)
    if one.nu is not None:
        assert other.nu.value == pytest.approx(one.nu.value, rel=1e-5)


@QUICK
@given(any_columns, ways)
def test_exchanging_the_sides_of_every_vote_changes_nothing(columns, ties):
    a, b, outcome, prompt, annotator = columns
    swapped = np.array([b, a, 2 - outcome, prompt, annotator])
    same(rank(votes_of(columns), ties=ties), rank(votes_of(swapped), ties=ties))


@QUICK
@given(any_columns, st.permutations(range(4)), st.permutations(range(5)), ways)
def test_names_of_arms_prompts_and_annotators_change_nothing(columns, names, ids, ties):
    names, ids = np.array(names), np.array(ids)
    a, b, outcome, prompt, annotator = columns
    renamed = pair_votes(
        first=[f"m{one}" for one in names[a]],
        second=[f"m{one}" for one in names[b]],
        outcome=outcome,
        prompt=[(int(one), "p") for one in ids[prompt]],
        annotator=ids[annotator] * 10**9,
    )
    same(
        rank(votes_of(columns), ties=ties),
        rank(renamed, ties=ties),
        lambda arm: f"m{names[arm]}",
    )


@QUICK
@given(any_columns, st.randoms(use_true_random=False), ways)
def test_the_order_of_votes_changes_nothing(columns, random, ties):
    order = list(range(columns.shape[1]))
    random.shuffle(order)
    same(rank(votes_of(columns), ties=ties), rank(votes_of(columns[:, order]), ties=ties))


@QUICK
@given(any_columns, ways)
def test_a_copy_of_every_vote_by_the_same_people_adds_no_information(columns, ties):
    one, twice = (rank(votes_of(c), ties=ties) for c in (columns, np.tile(columns, 2)))
    same(one, twice)
    assert twice.df == one.df


@QUICK
@given(any_columns, ways)
def test_a_copy_of_the_study_on_new_prompts_by_new_people_halves_the_variance(columns, ties):
    """Or better: the factor G / (G - 1) shrinks too."""
    other = columns + np.array([[0], [0], [0], [100], [100]])
    one, twice = (rank(votes_of(c), ties=ties) for c in (columns, np.hstack([columns, other])))
    if one.difference_se is None:
        return
    assert twice.values == pytest.approx(one.values, abs=1e-6)
    assert np.all(twice.difference_se**2 <= one.difference_se**2 / 2 + 1e-6 * one.difference_se**2)


@QUICK
@given(any_columns, ways)
def test_strengths_add_up_to_nothing_and_no_number_is_nan(columns, ties):
    ranking = rank(votes_of(columns), ties=ties)
    if ranking.state is not State.DEFINED:
        assert ranking.reason
        assert ranking.strengths == ()
        return
    assert sum(one.value for one in ranking.strengths) == pytest.approx(0.0, abs=1e-8)
    values = [round(one.value, 9) for one in ranking.strengths]  # equal but for rounding
    assert values == sorted(values, reverse=True)
    for one in ranking.strengths:
        assert math.isfinite(one.value)
        if ranking.df is None:
            assert (one.se, one.low, one.high) == (None, None, None)
            assert ranking.interval_reason
        else:
            assert one.low < one.value < one.high
            assert np.isfinite(ranking.covariance).all()
            assert np.isfinite(ranking.difference_se).all()


@QUICK
@given(any_columns)
def test_without_ties_the_two_models_are_one(columns):
    decided = columns[:, columns[2] != 1]
    if decided.shape[1] == 0:
        return
    same(replace(rank(votes_of(decided)), nu=None), rank(votes_of(decided), ties="half"))
