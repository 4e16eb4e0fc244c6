"""What a result hangs on, against trying every subset and refitting every study."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalplatform.stats import (
    ColumnTypeError,
    LengthMismatchError,
    PairVotes,
    State,
    UnknownOptionError,
    Votes,
    rank,
    rank_robustness,
    robustness,
    win_rates,
    with_and_without,
)

from .crossed_galleries import games_of, uneven_gallery
from .crossed_votes import Design, grid_votes, simulate

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
rows = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
any_votes = st.lists(rows, min_size=1, max_size=9).map(
    lambda drawn: Votes(
        [o for _, _, o in drawn],
        [p for p, _, _ in drawn],
        [a for _, a, _ in drawn],
        [p for p, _, _ in drawn],
    )
)


def lead(outcome):
    return int(np.sum(outcome == 0) - np.sum(outcome == 2))


def fewest_by_trying(votes, unit_of_vote):
    """The smallest set of units without which the sign of the lead is the opposite one."""
    units, sign = np.unique(unit_of_vote), np.sign(lead(votes.outcome))
    for size in range(1, len(units) + 1):
        for dropped in combinations(units, size):
            left = votes.outcome[~np.isin(unit_of_vote, dropped)]
            if sign * lead(left) < 0:
                return size
    return None


@QUICK
@given(any_votes)
def test_flips_are_the_smallest_of_all_subsets(votes):
    found = robustness(votes)
    units = {
        "votes": np.arange(len(votes)),
        "annotators": votes.annotator,
        "prompts": votes.prompt,
    }
    for name, unit in units.items():
        flip = getattr(found, name)
        assert flip.unit == name
        if lead(votes.outcome) == 0:
            assert (flip.state, flip.count) == (State.NO_LEADER, None)
            continue
        expected = fewest_by_trying(votes, unit)
        assert flip.count == expected
        assert flip.state is (State.UNBEATABLE if expected is None else State.DEFINED)
        assert bool(flip.reason) == (expected is None)
        if expected:
            assert flip.share == expected / len(np.unique(unit))


@QUICK
@given(any_votes)
def test_exchanging_a_and_b_mirrors_the_range_and_keeps_the_flips(votes):
    one, other = robustness(votes), robustness(votes.swapped())
    assert (one.votes, one.annotators, one.prompts) == (
        other.votes,
        other.annotators,
        other.prompts,
    )
    assert one.leader_changes == other.leader_changes
    if one.low is not None:
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_range_is_that_of_the_studies_without_one_annotator():
    votes = simulate(Design(30, 8, 3, prompt_sd=0.4, annotator_sd=1.2), np.random.default_rng(2))
    found = robustness(votes)
    nets = {
        int(one): win_rates(votes.where(votes.annotator != one)).net.value
        for one in np.unique(votes.annotator)
    }
    assert (found.low, found.high) == pytest.approx((min(nets.values()), max(nets.values())))
    assert nets[found.low_without] == found.low
    assert nets[found.high_without] == found.high
    assert found.net == pytest.approx(win_rates(votes).net.value)


def test_one_person_may_decide_the_winner():
    votes = grid_votes("AAB", "AAT", "ABB", "ABB")
    found = robustness(votes)
    assert found.leader_changes == (0,)
    assert (found.annotators.count, found.votes.count) == (1, 2)
    assert found.net > 0 > found.low


def test_one_annotator_has_no_range_but_flips():
    found = robustness(grid_votes("A", "A", "B"))
    assert (found.state, found.low, found.high) == (State.ONE_ANNOTATOR, None, None)
    assert found.reason
    assert found.votes.count == 2
    assert found.annotators.state is State.UNBEATABLE


def test_rank_ranges_are_those_of_the_rankings_without_one_annotator(monkeypatch):
    monkeypatch.setattr("evalplatform.stats.ranking.influence.TABLE", 60)
    votes = uneven_gallery()
    found = rank_robustness(votes)
    ranks = {}
    for at in range(len(votes.annotators)):
        for one in rank(votes.where(votes.annotator != at)).strengths:
            ranks.setdefault(one.arm, []).append((one.rank, one.value))
    assert found.undefined_without == ()
    for one, strength in zip(found.ranges, rank(votes).strengths, strict=True):
        assert (one.arm, one.rank) == (strength.arm, strength.rank)
        places, values = zip(*ranks[one.arm], strict=True)
        assert (one.low, one.high) == (min(one.rank, *places), max(one.rank, *places))
        assert (one.strength_low, one.strength_high) == pytest.approx((min(values), max(values)))
    first = found.ranges[0]
    others = [places[0] for places in ranks[first.arm]]
    assert len(found.leader_changes) == sum(place > 1 for place in others)


def test_the_person_who_makes_the_leader_is_named():
    def votes_by(annotator, wins, losses):
        return [("x", "y", "A", annotator)] * wins + [("x", "y", "B", annotator)] * losses

    rows = votes_by("ana", 4, 5) + votes_by("ben", 9, 1) + votes_by("eva", 3, 5)
    a, b, outcome, annotator = zip(*rows, strict=True)
    votes = PairVotes.from_columns(
        first=a, second=b, outcome=outcome, prompt=range(len(a)), annotator=annotator
    )
    for ties in ("davidson", "half"):
        found = rank_robustness(votes, ties=ties)
        assert found.leader_changes == ("ben",)
        assert [(one.arm, one.low, one.high) for one in found.ranges] == [
            ("x", 1, 2),
            ("y", 1, 2),
        ]


def test_a_ranking_that_needs_one_annotator_says_so():
    votes = games_of(("x", "y", 2, 1, 0))
    found = rank_robustness(votes)
    assert found.undefined_without == (2,)
    assert found.state is State.DEFINED
    lone = rank_robustness(games_of(("x", "y", 1, 1, 0)))
    assert (lone.state, lone.ranges) == (State.UNSTABLE, ())
    assert lone.undefined_without == (0, 1)


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        (games_of(("x", "y", 3, 0, 0)), State.SEPARATED),
        (
            PairVotes.from_columns(
                first=["x"] * 2,
                second=["y"] * 2,
                outcome=["A", "B"],
                prompt=[1, 2],
                annotator=[1, 1],
            ),
            State.ONE_ANNOTATOR,
        ),
    ],
)
def test_what_cannot_be_ranked_without_people_is_a_named_state(votes, state):
    found = rank_robustness(votes)
    assert (found.state, found.ranges) == (state, ())
    assert found.reason
    with pytest.raises(UnknownOptionError):
        rank_robustness(votes, ties="drop")


def test_exclusion_shows_both_results():
    votes = grid_votes("AAB", "ABB", "AAB")
    effect = with_and_without(votes, votes.annotator == 2, 0.9)
    assert effect.all_votes == win_rates(votes, 0.9)
    assert effect.kept == win_rates(votes.where(votes.annotator != 2), 0.9)
    assert effect.net_change == pytest.approx(4 / 6 - 1 / 9)
    assert effect.n_excluded == 3


def test_excluding_everybody_leaves_a_reason_and_one_annotator_no_interval():
    votes = grid_votes("AB", "BA")
    nothing = with_and_without(votes, np.ones(4, bool))
    assert (nothing.kept, nothing.net_change) == (None, None)
    assert "Every vote" in nothing.reason
    alone = with_and_without(votes, votes.annotator == 0)
    assert alone.kept.net.state is State.ONE_ANNOTATOR
    assert alone.net_change == alone.kept.net.value - alone.all_votes.net.value


def test_masks_that_fit_no_votes_are_refused():
    votes = grid_votes("AB", "BA")
    with pytest.raises(LengthMismatchError, match="excluded has 1"):
        with_and_without(votes, [True])
    with pytest.raises(ColumnTypeError, match="True and False"):
        with_and_without(votes, [0, 1, 0, 1])
