"""What a result hangs on, against trying every subset and refitting every study."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalplatform.stats import State, rank
from evalplatform.stats.ranking.davidson import fit, pair_counts
from evalplatform.stats.ranking.deciders import deciders
from evalplatform.stats.ranking.existence import usable_ties
from evalplatform.stats.ranking.influence import leave_one_out

from .crossed_galleries import games_of, pair_votes, uneven_gallery

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
rows = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
# Each of two arms wins once at least, so that there are strengths.
any_votes = st.lists(rows, min_size=1, max_size=7).map(lambda drawn: [*drawn, (0, 1, 0), (1, 0, 2)])


def without_each(votes, ties="davidson"):
    return leave_one_out(votes, fit(pair_counts(votes), ties), ties)


def lead(outcome):
    return int(np.sum(outcome == 0) - np.sum(outcome == 2))


def fewest_by_trying(outcome, unit_of_vote):
    """The smallest set of units without which the sign of the lead is the opposite one."""
    units, sign = np.unique(unit_of_vote), np.sign(lead(outcome))
    for size in range(1, len(units) + 1):
        for dropped in combinations(units, size):
            if sign * lead(outcome[~np.isin(unit_of_vote, dropped)]) < 0:
                return size
    return None


@QUICK
@given(any_votes)
def test_deciders_of_two_arms_are_the_smallest_of_all_subsets(drawn):
    prompt, annotator, outcome = np.array(drawn).T
    x = np.zeros(len(outcome), dtype=int)
    votes = pair_votes(first=x, second=x + 1, outcome=outcome, prompt=prompt, annotator=annotator)
    pairs = pair_counts(votes)
    ties, state, _ = usable_ties(pairs, votes.arms)
    assert state is State.DEFINED
    found = deciders(votes, fit(pairs, ties), ties)
    units = {"votes": np.arange(len(votes)), "annotators": annotator, "prompts": prompt}
    for name, unit in units.items():
        decider = found[name]
        assert decider.unit == name
        if lead(outcome) == 0:
            assert (decider.state, decider.count) == (State.NO_LEADER, None)
            continue
        expected = fewest_by_trying(outcome, unit)
        assert decider.count == expected
        assert decider.state is (State.UNBEATABLE if expected is None else State.DEFINED)
        assert bool(decider.reason) == (expected is None)
        if expected:
            assert decider.share == expected / len(np.unique(unit))


def test_rank_ranges_are_those_of_the_rankings_without_one_annotator(monkeypatch):
    monkeypatch.setattr("evalplatform.stats.ranking.influence.TABLE", 60)
    votes = uneven_gallery()
    found = without_each(votes)
    ranks = {}
    for at in range(len(votes.annotators)):
        for one in rank(votes.where(votes.annotator != at)).strengths:
            ranks.setdefault(one.arm, []).append((one.rank, one.value))
    assert found.undefined_without == ()
    for one, strength in zip(found.without_each_annotator, rank(votes).strengths, strict=True):
        assert (one.arm, one.rank) == (strength.arm, strength.rank)
        places, values = zip(*ranks[one.arm], strict=True)
        assert (one.low, one.high) == (min(one.rank, *places), max(one.rank, *places))
        assert (one.strength_low, one.strength_high) == pytest.approx((min(values), max(values)))
    first = found.without_each_annotator[0]
    others = [places[0] for places in ranks[first.arm]]
    assert len(found.leader_changes_without) == sum(place > 1 for place in others)


def test_the_person_who_makes_the_leader_is_named():
    def votes_by(annotator, wins, losses):
        return [("x", "y", "A", annotator)] * wins + [("x", "y", "B", annotator)] * losses

    rows = votes_by("ana", 4, 5) + votes_by("ben", 9, 1) + votes_by("eva", 3, 5)
    a, b, outcome, annotator = zip(*rows, strict=True)
    votes = pair_votes(
        first=a, second=b, outcome=outcome, prompt=range(len(a)), annotator=annotator
    )
    for ties in ("davidson", "half"):
        found = without_each(votes, ties=ties)
        assert found.leader_changes_without == ("ben",)
        assert [(one.arm, one.low, one.high) for one in found.without_each_annotator] == [
            ("x", 1, 2),
            ("y", 1, 2),
        ]


def test_whoever_cast_the_only_tie_is_left_out_as_anybody_is():
    """Without a tie there is one parameter less, and strengths as before."""
    rows = [("x", "y", "A", "ana")] * 4 + [("x", "y", "B", "ana")] * 5
    rows += [("x", "y", "A", "ben")] * 9 + [("x", "y", "TIE", "ben"), ("x", "y", "B", "ben")]
    a, b, outcome, annotator = zip(*rows, strict=True)
    votes = pair_votes(
        first=a, second=b, outcome=outcome, prompt=range(len(a)), annotator=annotator
    )
    found = without_each(votes)
    assert (found.undefined_without, found.leader_changes_without) == ((), ("ben",))
    assert found.without_each_annotator[0].strength_low == pytest.approx(np.log(4 / 5) / 2)


def test_a_ranking_that_needs_one_annotator_says_so():
    votes = games_of(("x", "y", 2, 1, 0))
    found = without_each(votes)
    assert found.undefined_without == (2,)
    assert found.state is State.DEFINED
    lone = without_each(games_of(("x", "y", 1, 1, 0)))
    assert (lone.state, lone.without_each_annotator) == (State.UNSTABLE, ())
    assert lone.undefined_without == (0, 1)


def test_votes_of_one_person_cannot_be_ranked_without_them():
    votes = pair_votes(
        first=["x"] * 2, second=["y"] * 2, outcome=["A", "B"], prompt=[1, 2], annotator=[1, 1]
    )
    found = without_each(votes)
    assert (found.state, found.without_each_annotator) == (State.ONE_ANNOTATOR, ())
    assert found.reason
