"""Places of showing, and early against late votes, of galleries: planted ones are found."""

import numpy as np
import pytest

from evalplatform.stats import (
    ColumnTypeError,
    LengthMismatchError,
    State,
    arms_drift,
    graded_votes,
    place_effect,
    rate_arms,
)

from .graded_studies import made
from .served_studies import Served

MANY = 150


def drawn(design, seed=1):
    return design.draw(np.random.default_rng(seed))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_planted_place_is_found(n):
    effect = place_effect(*drawn(Served(n=n, first=0.8)))
    assert effect.largest.place == 1
    assert effect.largest.net.low > 0.1
    assert effect.largest.net.p_holm < 0.01
    assert [each.place for each in effect.places] == ([1] if n == 2 else list(range(1, n + 1)))
    if n > 2:
        assert sum(each.net.value for each in effect.places) == pytest.approx(0.0)


def test_planted_drift_of_an_arm_of_ties_and_of_grades_is_found():
    found = arms_drift(*drawn(Served(later=1.2, more_ties=0.3))[:1])
    last = found.arms[-1]
    assert (last.arm, last.difference.value) == ("D", last.first - last.second)
    assert last.difference.high < 0
    assert last.difference.p_holm < 0.05
    assert found.ties.difference.high < 0
    assert found.grades is None
    grades = arms_drift(*drawn(Served(n=1, falling=0.5, prompts=40))[:1])
    assert grades.grades.difference.low > 0.2
    assert (grades.arms, grades.ties) == ((), None)


@pytest.mark.parametrize("design", [Served(), Served(n=2), Served(people=6, prompts=12)])
def test_without_any_few_are_claimed_and_intervals_hold_0(design):
    rng = np.random.default_rng(2)
    places, arms, ties, held = [], [], [], []
    for _ in range(MANY):
        votes, shown = design.draw(rng)
        nets = [each.net for each in place_effect(votes, shown).places]
        drift = arms_drift(votes)
        places.append(min(each.p_holm for each in nets) <= 0.05)
        arms.append(min(each.difference.p_holm for each in drift.arms) <= 0.05)
        ties.append(drift.ties.difference.p_value <= 0.05)
        held.append(np.mean([each.low <= 0 <= each.high for each in nets]))
    assert max(np.mean(places), np.mean(arms), np.mean(ties)) < 0.1
    assert np.mean(held) > 0.9


@pytest.mark.parametrize(("n", "joins"), [(2, 0.5), (3, 0.5)])
def test_arm_that_joins_late_passes_for_no_drift_of_the_others(n, joins):
    """It is far better than they are, so all lose more once it is there."""
    rng = np.random.default_rng(5)
    design = Served(quality=(0.4, 0.0, -0.4, 1.5), n=n, joins=joins, prompts=20, people=12)
    arms, ties = [], []
    for _ in range(MANY):
        drift = arms_drift(design.draw(rng)[0])
        arms.append(min(each.difference.p_holm for each in drift.arms) <= 0.05)
        ties.append(drift.ties.difference.p_value <= 0.05)
    assert max(np.mean(arms), np.mean(ties)) < 0.1


def test_arm_met_in_one_half_alone_has_no_drift_and_weighs_nothing():
    """A wins both against B and loses all against C, who is there only later."""
    arm = [[0, 1], [0, 1], [0, 1], [0, 2]] * 3
    grade = [[1, 0], [0, 1], [1, 0], [0, 1]] * 3
    found = arms_drift(made(arm, grade, [0, 1, 2, 3] * 3, [0] * 4 + [1] * 4 + [2] * 4, "ABC"))
    assert [(each.arm, each.first, each.second) for each in found.arms] == [
        ("A", 0.0, 1.0),
        ("B", 0.0, -1.0),
    ]
    assert [each.difference.value for each in found.arms] == [-1.0, 1.0]


def confounded(rng, share=0.9, prompts=20, people=10):
    """Grades of A mostly in the first half of each annotator's votes, of B in the second."""
    nth, who = (each.ravel() for each in np.indices((prompts, people)))
    prompt = (rng.integers(prompts, size=people)[who] + nth) % prompts
    early = nth < prompts // 2
    arm = np.where(rng.random(len(who)) < share, ~early, early).astype(int)
    looks = 3 + 0.5 * arm + 0.5 * rng.normal(size=people)[who] + rng.normal(size=len(who))
    grade = np.clip(np.round(looks), 1, 5).astype(int)
    return graded_votes(
        item=prompt * 2 + arm, prompt=prompt, annotator=who, arm=arm[:, None],
        grade=grade[:, None], arms="AB",
    )  # fmt: skip


def test_interval_is_as_wide_as_arms_and_halves_are_alike():
    """Nine in ten grades of an arm lie in one half: few tell the halves from the arms."""
    rng = np.random.default_rng(6)
    held, spread, told = [], [], []
    for _ in range(2 * MANY):
        found = arms_drift(confounded(rng)).grades.difference
        held.append(found.low <= 0 <= found.high)
        spread.append(found.value)
        told.append(found.se)
    assert np.mean(held) > 0.95
    assert np.mean(told) > 0.85 * np.std(spread)


def test_share_furthest_from_even_is_told():
    votes = made([[0, 1]] * 5, [[1, 0]] * 5, [0, 1, 2, 3, 4], [0, 0, 1, 1, 1], "AB")
    found = place_effect(votes, [0, 1] * 4 + [1, 0]).least_even
    assert (found.arm, found.images, found.place, found.share) == ("A", 2, 1, 0.8)
    assert not found.is_even
    votes, shown = drawn(Served(n=3, people=40, prompts=40))
    assert place_effect(votes, shown).least_even.is_even


def left_so_often(*counts):
    """Two arms each, the first of them left so often of so many; arms are named from A on."""
    arm, shown = [], []
    for pair, (left, n) in enumerate(counts):
        arm += [[2 * pair, 2 * pair + 1]] * n
        shown += [0, 1] * left + [1, 0] * (n - left)
    at = list(range(len(arm)))
    return made(arm, [[1, 0]] * len(arm), at, [each % 5 for each in at], "ABCD"), shown


def test_share_that_few_sets_show_is_not_uneven():
    found = place_effect(*left_so_often((4, 5))).least_even
    assert (found.arm, found.n_sets, found.is_even, found.is_uneven) == ("A", 5, False, False)
    assert found.p_value == 1.0  # 2 * 6 / 32, times 4 arms' places
    found = place_effect(*left_so_often((40, 50))).least_even
    assert found.is_uneven
    # Of 50 at even odds 40 or more with a chance of 1.193e-5; two-sided, and of four shares.
    assert found.p_value == pytest.approx(8 * 1.193e-5, rel=1e-3)


def test_arm_that_stands_uneven_is_told_before_one_with_few_sets():
    found = place_effect(*left_so_often((40, 50), (8, 9))).least_even
    assert (found.arm, found.share, found.is_uneven) == ("A", 0.8, True)


def test_good_arms_that_stood_first_more_often_pass_for_no_place():
    """Arm A is best and stands first in three of four votes."""
    rng = np.random.default_rng(3)
    rows = 600
    is_first = rng.random(rows) < 0.75
    better = rng.random(rows) < 0.9
    grade = np.stack([better, ~better], axis=1).astype(int)
    at = np.arange(rows)
    votes = graded_votes(
        item=at, prompt=at % 30, annotator=at // 30, arm=[[0, 1]] * rows, grade=grade
    )
    shown = np.stack([~is_first, is_first], axis=1).astype(int).ravel()
    (first,) = place_effect(votes, shown).places
    assert abs(first.net.value) < 0.06
    assert first.net.p_value > 0.05
    assert np.mean(np.where(shown == 0, 2 * grade.ravel() - 1, 0)[shown == 0]) > 0.3


def test_places_that_arms_never_changed_cannot_be_told_from_arms():
    votes = made([[0, 1]] * 4, [[1, 0]] * 4, [0, 1, 0, 1], [0, 0, 1, 1], "AB")
    effect = place_effect(votes, [0, 1] * 4)
    assert (effect.state, effect.places, effect.largest) == (State.DISCONNECTED, (), None)


def test_naming_arms_and_prompts_otherwise_changes_nothing():
    votes, shown = drawn(Served(people=6, prompts=8))
    other = graded_votes(
        item=votes.item, prompt=7 - votes.prompt.astype(int), annotator=votes.annotator,
        arm=3 - votes.arm.reshape(-1, 4).astype(int), grade=votes.grade.reshape(-1, 4),
    )  # fmt: skip
    for one, same in zip(
        place_effect(votes, shown).places, place_effect(other, shown).places, strict=True
    ):
        assert one.net.value == pytest.approx(same.net.value)
        assert one.net.p_value == pytest.approx(same.net.p_value)


def test_difference_of_halves_is_that_of_two_arms_named_by_the_half():
    """The same contrast by another way: each half rated as an arm of its own."""
    votes, _ = drawn(Served(n=1, quality=(0.2,), prompts=12, people=8))
    grades = arms_drift(votes).grades
    nth = np.arange(len(votes)) // 8
    as_arms = rate_arms(
        graded_votes(
            item=votes.item.astype(int) * 2 + (nth >= 6), prompt=votes.prompt,
            annotator=votes.annotator, arm=(nth >= 6).astype(int)[:, None],
            grade=votes.grade[:, None],
        )
    )  # fmt: skip
    (expected,) = as_arms.differences
    shift = grades.difference
    assert (shift.value, shift.se, shift.p_value) == pytest.approx(
        (expected.value, expected.se, expected.p_value)
    )


def test_middle_votes_and_few_people_are_named():
    votes = made([[0, 1]] * 3, [[1, 0]] * 3, [0, 1, 2], [0, 0, 0], "AB")
    found = arms_drift(votes)
    assert found.n_left_out == 1
    assert found.ties.difference.state is State.ONE_ANNOTATOR
    assert found.ties.difference.p_holm is None
    assert arms_drift(made([[0, 1]], [[1, 0]], [0], [0], "AB")) is None
    assert place_effect(made([[0]], [[3]], [0], [0], "A"), [0]) is None


@pytest.mark.parametrize("shown", [[0, 0, 0, 1], [0, 2, 1, 0], [-1, 0, 0, 1]])
def test_positions_that_are_no_order_are_refused(shown):
    votes = made([[0, 1]] * 2, [[1, 0]] * 2, [0, 1], [0, 1], "AB")
    with pytest.raises(ColumnTypeError, match="is no order of its 2 images"):
        place_effect(votes, shown)
    with pytest.raises(LengthMismatchError):
        place_effect(votes, [0, 1])
