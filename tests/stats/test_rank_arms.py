"""Ranking the arms of a campaign from graded votes, also from odd ones."""

import json
import math

import numpy as np
import pytest

from evalplatform.stats import (
    EmptyVotesError,
    State,
    UnknownOptionError,
    Votes,
    graded_votes,
    rank_arms,
    win_rates,
)

from .graded_studies import FOUR, RankingDesign, comparisons, made

DESIGN = RankingDesign(60, 20, 4, prompt_sd=0.6, annotator_sd=0.4)


@pytest.fixture(scope="module")
def study():
    return DESIGN.simulate(np.random.default_rng(4))


@pytest.fixture(scope="module")
def ranking(study):
    return rank_arms(study)


def pair_study(seed=7, people=9):
    """Two arms whose prompts, people and items are no run of numbers, in any order of images."""
    rng = np.random.default_rng(seed)
    n = 240
    prompt = rng.integers(0, 40, n) * 3 + 100
    annotator = rng.integers(0, people, n) * 7 + 1
    outcome = rng.choice(3, n, p=[0.5, 0.2, 0.3])
    grades = np.array([(1, 0), (0, 0), (0, 1)])[outcome]
    turned = rng.random(n) < 0.5
    arm = np.where(turned[:, None], [1, 0], [0, 1])
    grade = np.where(turned[:, None], grades[:, ::-1], grades)
    return Votes(outcome, prompt, annotator, prompt), graded_votes(
        item=prompt, prompt=prompt, annotator=annotator, arm=arm, grade=grade, arms=["x", "y"]
    )


def test_two_arms_have_the_figures_of_win_rates_to_the_last_digit():
    votes, graded = pair_study()
    (pair,) = rank_arms(graded).pairs
    assert (pair.arm, pair.other) == ("x", "y")
    assert pair.rates == win_rates(votes)
    assert pair.net_p_holm == pair.rates.net.p_value


def test_rankings_recover_the_order_and_their_intervals_hold_the_truth(ranking):
    assert [one.arm for one in ranking.standings] == list(FOUR)
    assert [one.rank for one in ranking.standings] == [1, 2, 3, 4]
    assert ranking.n_comparisons == 6 * ranking.n_votes == 6 * 240
    assert ranking.images_per_vote == {4: 240}
    assert ranking.groups == (FOUR,)
    assert ranking.never_compared == ()
    for one in ranking.standings:
        assert one.low < one.value < one.high
        assert one.rank_low <= one.rank <= one.rank_high
        assert sum(one.rank_chances) == pytest.approx(1.0)
        assert one.n_votes == 240
        assert one.n_comparisons == one.tally.total == 720
    assert len(ranking.pairs) == 6
    assert ranking.pair("old", "base") is ranking.pair("base", "old")


def test_pairs_are_those_of_the_two_arms_alone(study, ranking):
    grade = study.grade.reshape(-1, 4)
    outcome = 1 - np.sign(grade[:, 1] - grade[:, 3])
    alone = win_rates(Votes(outcome, study.prompt, study.annotator, study.item))
    assert ranking.pair("tuned", "old").rates == alone


def test_sets_of_one_prompt_are_clustered_by_prompt():
    """Ten seeds a prompt that all say the same tell no more of other prompts than one does."""
    one = RankingDesign(30, 12, 4, prompt_sd=1.5, annotator_sd=0.1)
    many = RankingDesign(30, 12, 4, prompt_sd=1.5, annotator_sd=0.1, sets_per_prompt=10)
    few = rank_arms(one.simulate(np.random.default_rng(3)))
    more = rank_arms(many.simulate(np.random.default_rng(3)))
    assert more.n_votes == 10 * few.n_votes
    assert more.standing("base").se > 0.5 * few.standing("base").se


def test_pairs_and_rankings_may_be_mixed_with_ratings_left_out():
    votes = made(
        [(0, 1, 2), (0, 1), (2,), (1, 2), (2, 0), (0, 1, 2)],
        [(2, 1, 0), (0, 1), (5,), (1, 0), (1, 0), (1, 1, 0)],
        [1, 1, 1, 2, 2, 2],
        [1, 2, 3, 1, 2, 3],
        "xyz",
    )
    found = rank_arms(votes)
    assert found.images_per_vote == {2: 3, 3: 2}
    assert (found.n_votes, found.n_comparisons) == (5, 9)
    assert found.standing("z").n_votes == 4


def test_arms_that_no_vote_links_are_named_in_groups_and_keep_their_pairs():
    votes = comparisons(("a", "b", "WWLWT", 0, 0), ("c", "d", "LLWL", 0, 0))
    found = rank_arms(votes)
    assert found.state is State.DISCONNECTED
    assert found.groups == (("a", "b"), ("c", "d"))
    assert "a, b; c, d" in found.reason
    assert [one.rank for one in found.standings] == [None] * 4
    assert [one.value for one in found.standings] == [None] * 4
    assert found.pair("a", "b").rates.win.low is not None
    assert found.pair("a", "c") is None
    assert found.robustness.state is State.DISCONNECTED


def gallery_with(*rows):
    """Four prompts and more of three arms that won and lost, and the rows given."""
    cycle = (
        ("a", "b", "WWLWTW", 0, 0),
        ("b", "c", "WLWWWL", 0, 0),
        ("a", "c", "WWWLTW", 0, 0),
    )
    return comparisons(*cycle, *rows)


def test_a_newcomer_that_never_lost_is_first_and_the_others_stay_ranked():
    alone = rank_arms(gallery_with())
    found = rank_arms(gallery_with(("new", "b", "WW", 0, 0)))
    first, *rest = found.standings
    assert (first.arm, first.rank, first.value) == ("new", 1, None)
    assert first.unbounded == "won every comparison"
    assert (first.rank_low, first.rank_high) == (1, 4), "two votes show nothing"
    assert found.state is State.DEFINED
    assert [one.arm for one in rest] == [one.arm for one in alone.standings]
    for one, before in zip(rest, alone.standings, strict=True):
        assert (one.value, one.low, one.high) == (before.value, before.low, before.high)
        assert one.unbounded == ""
        assert one.rank == before.rank + 1
        assert one.rank_chances[0] == 0.0
    assert found.pair("new", "b").difference is None
    assert found.pair("new", "b").rates.tally.lose == 2, "seen from b"
    assert found.robustness.state is State.SEPARATED


def test_an_arm_that_one_person_judged_or_one_prompt_shows_leaves_no_interval():
    """A fit makes the scores of its votes sum to 0: that person's taste would not be seen."""
    rng, at = np.random.default_rng(2), np.arange(240)
    arms = [[(0, 1), (0, 2), (1, 2), (0, 3)][each] for each in at % 4]
    grades = rng.permuted([[1, 0]] * 240, axis=1)
    last = at % 4 == 3
    prompt, person = at // 8, at // 4 % 10

    def found(prompt, person):
        return rank_arms(made(arms, grades, prompt, person, ["a", "b", "c", "late"]))

    assert found(prompt, np.where(last, at // 4 % 2, person)).standings[0].low
    alone = found(prompt, np.where(last, 4, person))
    assert (alone.state, alone.interval_state) == (State.DEFINED, State.ONE_ANNOTATOR)
    assert alone.interval_reason.startswith("All votes on 'late' are by one annotator")
    assert {(one.value is None, one.low, one.rank_low) for one in alone.standings} == {
        (False, None, None)
    }
    assert alone.pair("a", "b").rates.net.low is not None
    on_one = found(np.where(last, 0, prompt), person)
    assert on_one.interval_reason.startswith("All votes on 'late' are on one prompt")


def test_an_arm_that_never_won_is_last():
    found = rank_arms(gallery_with(("bad", "a", "LLL", 0, 0), ("bad", "c", "LL", 3, 0)))
    last = found.standings[-1]
    assert (last.arm, last.rank, last.unbounded) == ("bad", 4, "lost every comparison")
    assert [one.value is None for one in found.standings] == [False, False, False, True]
    assert found.robustness.votes.count > 0


def test_many_unanimous_votes_narrow_the_rank_set_of_an_unbounded_arm():
    votes = [("new", other, "W" * 60, 0, 0) for other in "abc"]
    found = rank_arms(gallery_with(*votes))
    assert (found.standings[0].rank_low, found.standings[0].rank_high) == (1, 1)
    assert all(one.rank_low >= 2 for one in found.standings[1:])
    assert found.standings[0].tier == 1
    assert all(one.tier == 2 for one in found.standings[1:])


def test_a_unanimous_pair_has_an_order_and_shares_but_no_strength():
    found = rank_arms(comparisons(("x", "y", "W" * 40, 0, 0)))
    assert found.state is State.SEPARATED
    assert [(one.arm, one.rank, one.rank_high) for one in found.standings] == [
        ("x", 1, 1),
        ("y", 2, 2),
    ]
    assert [one.unbounded for one in found.standings] == [
        "won every comparison",
        "lost every comparison",
    ]
    assert found.pairs[0].rates.win.value == 1.0


def test_a_newcomer_that_links_two_groups_leaves_them_apart():
    votes = comparisons(
        ("a", "b", "WLWL", 0, 0), ("c", "d", "WLTL", 0, 0), ("new", "a", "W", 0, 0),
        ("new", "c", "W", 1, 1),
    )  # fmt: skip
    found = rank_arms(votes)
    assert found.state is State.DISCONNECTED
    assert found.groups == (("a", "b"), ("c", "d"))
    assert "a, b; c, d" in found.reason


def test_arms_that_only_unbounded_ones_link_have_no_order():
    """No vote is left among the arms that won and lost."""
    wins = (("new", "a"), ("a", "x"), ("new", "b"), ("b", "y"))
    found = rank_arms(comparisons(*((up, down, "WW", 0, 0) for up, down in wins)))
    assert found.state is State.DISCONNECTED
    assert found.groups == (("a",), ("b",))
    assert [one.rank for one in found.standings] == [None] * 5
    assert found.pair("a", "x").rates.win.value == 1.0


def test_all_ties_give_no_leader():
    found = rank_arms(comparisons(("x", "y", "TTTT", 0, 0), ("y", "z", "TTTT", 0, 0)))
    assert found.state is State.NO_DECIDED_VOTES
    assert [one.rank for one in found.standings] == [None] * 3
    assert found.pair("x", "y").rates.tie.value == 1.0


def test_ties_that_leave_davidson_without_a_maximum_count_as_half_wins():
    found = rank_arms(comparisons(("x", "y", "WWTWT", 0, 0), ("y", "z", "WTTW", 0, 0)))
    assert found.state is State.DEFINED
    assert found.ties == "half"
    assert found.tie_weight is None
    assert [one.arm for one in found.standings] == ["x", "y", "z"]


def test_an_arm_that_never_appears_is_listed_without_a_rank():
    votes = made([(0, 1)] * 4, [(1, 0), (0, 1), (1, 0), (1, 0)], [0, 1, 2, 3], [0, 1, 2, 0], "xyz")
    found = rank_arms(votes)
    assert found.never_compared == ("z",)
    assert found.standing("z").rank is None
    assert found.standing("z").tally.total == 0
    assert found.standing("x").rank == 1
    assert found.state is State.DEFINED


def test_one_vote_one_annotator_and_one_prompt_give_values_without_intervals():
    one_vote = rank_arms(made([(0, 1, 2)], [(2, 1, 0)], [0], [0], "xyz"))
    assert [(one.arm, one.rank) for one in one_vote.standings] == [("x", 1), ("y", 2), ("z", 3)]
    assert one_vote.state is State.SEPARATED
    assert one_vote.pair("x", "y").rates.win.state is State.ONE_PROMPT
    one_person = rank_arms(made([(0, 1)] * 3, [(1, 0), (0, 1), (1, 0)], [0, 1, 2], [0] * 3, "xy"))
    assert one_person.state is State.DEFINED
    assert one_person.interval_state is State.ONE_ANNOTATOR
    assert one_person.standings[0].value == pytest.approx(math.log(2.0) / 2.0)
    assert one_person.standings[0].low is None
    assert one_person.standings[0].rank_high is None
    one_prompt = rank_arms(made([(0, 1)] * 3, [(1, 0), (0, 1), (1, 0)], [0] * 3, [0, 1, 2], "xy"))
    assert one_prompt.interval_state is State.ONE_PROMPT


def test_ratings_alone_and_levels_outside_0_to_1_are_refused():
    with pytest.raises(EmptyVotesError, match="rate_arms"):
        rank_arms(made([(0,), (1,)], [(5,), (4,)], [0, 1], [0, 1], "xy"))
    with pytest.raises(UnknownOptionError, match="level"):
        rank_arms(comparisons(("x", "y", "WL", 0, 0)), level=1.0)
    with pytest.raises(UnknownOptionError, match="arm is 'q'"):
        rank_arms(comparisons(("x", "y", "WL", 0, 0))).standing("q")


def test_deciders_name_units_without_which_another_arm_is_first(study):
    close = RankingDesign(40, 6, 3, prompt_sd=0.6, annotator_sd=0.6, quality=(0.25, 0.2, 0.0, -0.2))
    votes = close.simulate(np.random.default_rng(1))
    found = rank_arms(votes)
    leader = found.standings[0].arm
    for unit, codes, ids in (
        ("annotators", votes.annotator, votes.annotators),
        ("prompts", votes.prompt, votes.prompts),
    ):
        decider = getattr(found.robustness, unit)
        assert decider.state is State.DEFINED
        assert decider.count == len(decider.ids) > 0
        dropped = [ids.index(one) for one in decider.ids]
        left = rank_arms(votes.where(~np.isin(codes, dropped)))
        assert left.standings[0].arm == decider.new_leader != leader
    assert found.robustness.votes.count / len(votes) == found.robustness.votes.share


def test_same_votes_give_the_same_result_and_it_is_json(study, ranking):
    text = json.dumps(ranking.as_dict(), allow_nan=False)
    assert text == json.dumps(rank_arms(study).as_dict(), allow_nan=False)
    read = json.loads(text)
    assert read["standings"][0]["arm"] == "base"
    assert read["pairs"][0]["rates"]["net"]["p_value"] == ranking.pairs[0].rates.net.p_value
    assert read["state"] == "defined"


def test_order_of_votes_and_of_images_changes_nothing(study, ranking):
    rng = np.random.default_rng(2)
    order = rng.permutation(len(study))
    arm, grade = study.arm.reshape(-1, 4)[order], study.grade.reshape(-1, 4)[order]
    turn = rng.permuted(np.tile(np.arange(4), (len(order), 1)), axis=1)
    shuffled = graded_votes(
        item=study.item[order],
        prompt=study.prompt[order],
        annotator=study.annotator[order],
        arm=np.take_along_axis(arm, turn, axis=1),
        grade=np.take_along_axis(grade, turn, axis=1),
        arms=study.arms,
    )
    again = rank_arms(shuffled)
    for one, other in zip(ranking.standings, again.standings, strict=True):
        assert one.arm == other.arm
        assert one.low == pytest.approx(other.low, abs=1e-9)
        assert (one.rank_low, one.rank_high) == (other.rank_low, other.rank_high)
    assert again.robustness.votes == ranking.robustness.votes
    assert [pair.rates.win for pair in again.pairs] == [pair.rates.win for pair in ranking.pairs]


def test_share_of_studies_with_other_prompts_that_keep_the_leader(study, ranking):
    clear, close = (
        ranking.robustness.first_with_other_prompts,
        RankingDesign(20, 8, 2, prompt_sd=1.0, annotator_sd=0.3, quality=(0.1, 0.05, 0.0, -0.1)),
    )
    assert clear == 1.0
    found = rank_arms(close.simulate(np.random.default_rng(6))).robustness
    assert 0.3 < found.first_with_other_prompts < 0.95
    one_prompt = made([(0, 1)] * 3, [(1, 0), (0, 1), (1, 0)], [0] * 3, [0, 1, 2], "xy")
    assert rank_arms(one_prompt).robustness.first_with_other_prompts is None
