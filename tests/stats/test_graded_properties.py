"""Whatever is graded, every number is finite and every gap has a reason."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalplatform.stats import (
    EmptyVotesError,
    State,
    graded_agreement,
    graded_votes,
    pairs_from_ratings,
    rank_arms,
    rate_arms,
)

from .graded_studies import padded, tables_of

QUICK = settings(max_examples=50, deadline=None, derandomize=True)
ARMS = "vwxyz"


@st.composite
def any_votes(draw):
    """Up to 14 votes of 1 to 4 images, on few prompts by few people, with many ties."""
    votes = []
    for _ in range(draw(st.integers(1, 14))):
        arms = draw(st.permutations(range(len(ARMS))))[: draw(st.integers(1, 4))]
        grades = draw(st.lists(st.integers(0, 2), min_size=len(arms), max_size=len(arms)))
        votes.append((draw(st.integers(0, 3)), draw(st.integers(0, 2)), arms, grades))
    prompt, annotator, arm, grade = zip(*votes, strict=True)
    return graded_votes(
        item=prompt,
        prompt=prompt,
        annotator=annotator,
        arm=padded(arm, -1),
        grade=padded(grade, 0),
        arms=list(ARMS),
    )


def checked(result):
    """The result as JSON reads it: no NaN or infinity, whatever the votes."""
    return json.loads(json.dumps(result.as_dict(), allow_nan=False))


@QUICK
@given(any_votes())
def test_rank_arms_answers_or_says_why_not(votes):
    if votes.pairs() is None:
        with pytest.raises(EmptyVotesError):
            rank_arms(votes)
        return
    found = rank_arms(votes)
    checked(found)
    assert {one.arm for one in found.standings} == set(ARMS)
    assert (found.state is State.DEFINED) == (not found.reason)
    assert (found.interval_state is State.DEFINED) == (not found.interval_reason)
    assert sum(one.tally.total for one in found.standings) == 2 * found.n_comparisons
    ranked = [one for one in found.standings if one.rank is not None]
    for one in ranked:
        if one.rank_low is not None:
            assert one.rank_low <= one.rank <= one.rank_high
        if one.value is not None and one.low is not None:
            assert one.low <= one.value <= one.high
    strengths = [one.value for one in ranked if one.value is not None]
    assert sum(strengths) == pytest.approx(0.0, abs=1e-8)
    assert all(math.isfinite(one) for one in strengths)


@QUICK
@given(any_votes(), st.permutations(range(len(ARMS))))
def test_other_names_of_arms_change_no_standing(votes, order):
    if votes.pairs() is None:
        return
    tables = tables_of(votes)
    renamed = graded_votes(
        item=votes.item,
        prompt=votes.prompt,
        annotator=votes.annotator,
        arm=np.where(tables["arm"] < 0, -1, np.argsort(order)[tables["arm"]]),
        grade=tables["grade"],
        arms=[ARMS[one] for one in order],
    )
    one, other = rank_arms(votes), rank_arms(renamed)
    for arm in ARMS:
        a, b = one.standing(arm), other.standing(arm)
        assert (a.rank, a.unbounded, a.tally, a.rank_low) == (
            b.rank,
            b.unbounded,
            b.tally,
            b.rank_low,
        )
        assert (a.value is None) == (b.value is None)
        if a.value is not None:
            assert a.value == pytest.approx(b.value, abs=1e-6)


@QUICK
@given(any_votes())
def test_rate_arms_and_its_pairs_answer_or_say_why_not(votes):
    if votes.ratings() is None:
        with pytest.raises(EmptyVotesError):
            rate_arms(votes)
        return
    found = rate_arms(votes, grades=(0, 1, 2))
    checked(found)
    for one in found.ratings:
        assert 0.0 <= one.mean.value <= 2.0
        if one.mean.low is not None:
            assert 0.0 <= one.mean.low <= one.mean.value <= one.mean.high <= 2.0
        assert (one.mean.low is None) == bool(one.mean.reason)
    try:
        pairs = pairs_from_ratings(votes)
    except EmptyVotesError:
        return
    checked(rank_arms(pairs))


@QUICK
@given(any_votes())
def test_agreement_lies_in_its_range_or_says_why_there_is_none(votes):
    for found in graded_agreement(votes, replicates=20):
        checked(found)
        for name, least in (("percent", 0.0), ("kendall_w", 0.0), ("mean_tau", -1.0)):
            one = getattr(found, name)
            if one is not None and one.value is not None:
                assert least - 1e-12 <= one.value <= 1.0 + 1e-12
            elif one is not None:
                assert one.reason
