"""Do people order arms, tie or grade otherwise later in their work?"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.contrasts import MeanContrast, as_family, contrast_of, difference_of
from ..inference.intervals import check_level
from ..inference.least_squares import GroupEffects
from ..inference.means import GroupedValues
from ..pairs.order import halves
from ..votes.columns import BoolColumn, IntColumn, Outcome
from ..votes.graded import GradedVotes
from ..votes.pairs import PairVotes

METHOD = (
    "first half of each annotator's votes less the second, of the same arms in both by least "
    "squares; two-way clustered by prompt and annotator over both, t with Satterthwaite's df"
)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One figure in both halves: their values, and `difference`, the first less the second."""

    first: float
    second: float
    difference: MeanContrast


@dataclass(frozen=True, kw_only=True)
class ArmShift(Shift):
    """The net of an arm over those it met in both halves, in [-1, 1]; difference in [-2, 2]."""

    arm: Hashable


@dataclass(frozen=True, kw_only=True)
class ArmsDrift:
    """The first half of each annotator's votes beside the second, see `arms_drift`.

    Attributes:
        arms: of sets of several images, one per arm that met another in both halves; one family
            for Holm's p.
        ties: share of the pairs of a set that tie; None where no two arms met in both halves.
        grades: mean grade of single images, of equal arms in both halves; None without any, and
            where arms and halves cannot be told apart.
        n_left_out: votes in no half: the middle one of everybody with an odd number.
        level, method: of the intervals.
    """

    arms: tuple[ArmShift, ...]
    ties: Shift | None
    grades: Shift | None
    n_left_out: int
    level: float
    method: str = METHOD


def arms_drift(graded: GradedVotes, level: float = 0.95) -> ArmsDrift | None:
    """Compare the first half of each annotator's votes with their second; None without two votes.

    Votes are in the order in which they were cast; see `order_effect`, which this is for more than
    two arms and for single images.

    Formula. Of sets of several images the net of each arm over the others of its sets, pair by
    pair, and the share of pairs that tie; of single images the mean grade. What is compared is
    taken out by least squares: the opponents' effects from nets, those of each two arms from ties,
    the arms' from grades (see `least_squares`). A half's figure is so a mean in which each weighs
    alike in both halves, and what was met in one half alone, such as an arm that joined late,
    weighs nothing. Differences are clustered by prompt and annotator over both halves together.

    How to read. An arm that is liked less later shows as a difference above 0, and those that it
    met then show below. Mean grades that fall shift all arms alike and change
    no comparison of theirs. As for pairs, drift can be told from prompts only where annotators
    meet the prompts in different orders.

    >>> from ..votes.graded import graded_votes
    >>> votes = graded_votes(item=range(8), prompt=[0, 1, 2, 3] * 2, annotator=[0] * 4 + [1] * 4,
    ...                      arm=[[0]] * 8, grade=[[5], [4], [3], [3], [4], [4], [2], [3]])
    >>> found = arms_drift(votes)
    >>> found.grades.first, found.grades.second, found.grades.difference.value
    (4.25, 2.75, 1.5)
    """
    check_level(level)
    first, second = halves(graded.annotator.astype(np.int64))
    if not first.any():
        return None
    kept = first | second
    votes = graded.where(kept)
    late = second[kept]
    several = votes.sizes > 1
    arms: tuple[ArmShift, ...] = ()
    ties = grades = None
    pairs = votes.pairs()
    if pairs is not None:
        is_late = late[pairs.vote]
        arms, ties = _arm_shifts(pairs, is_late, level), _tie_shift(pairs, is_late, level)
    if not several.all():
        grades = _grade_shift(votes.where(~several), late[~several], level)
    return ArmsDrift(
        arms=arms,
        ties=ties,
        grades=grades,
        n_left_out=int(np.count_nonzero(~kept)),
        level=level,
    )


def _arm_shifts(pairs: PairVotes, late: BoolColumn, level: float) -> tuple[ArmShift, ...]:
    """Of each arm with its opponents' effects taken out; those met in one half alone say nothing.

    So an arm that joins late moves no figure of the others. `late` is by pair.
    """
    found = []
    for arm in range(pairs.n_arms):
        rows = np.flatnonzero((pairs.first == arm) | (pairs.second == arm))
        effects = _beside_opponents(pairs, rows, arm, late[rows]) if len(rows) else None
        if effects is not None:
            found.append((arm, _shift(effects, level, "votes on an arm", 2.0)))
    adjusted = as_family([shift.difference for _, shift in found])
    return tuple(
        ArmShift(arm=pairs.arms[arm], first=shift.first, second=shift.second, difference=difference)
        for (arm, shift), difference in zip(found, adjusted, strict=True)
    )


def _beside_opponents(
    pairs: PairVotes, rows: IntColumn, arm: int, late: BoolColumn
) -> GroupEffects | None:
    is_first = pairs.first[rows] == arm
    ahead = 1.0 - pairs.outcome[rows]  # of the first of the pair
    opponent = np.where(is_first, pairs.second[rows], pairs.first[rows])
    values = _by_half(pairs, rows, np.where(is_first, ahead, -ahead), late)
    per_vote = len(rows) / len(np.unique(pairs.vote[rows]))
    return GroupEffects.fitted(values, opponent, pairs.n_arms, per_vote)


def _tie_shift(pairs: PairVotes, late: BoolColumn, level: float) -> Shift | None:
    """Of the same two arms in both halves, so that neither half has the arms more alike."""
    low, high = np.minimum(pairs.first, pairs.second), np.maximum(pairs.first, pairs.second)
    both = low.astype(np.int64) * pairs.n_arms + high
    is_tie = (pairs.outcome == Outcome.TIE).astype(np.float64)
    values = _by_half(pairs, np.arange(len(pairs)), is_tie, late)
    per_vote = len(pairs) / len(np.unique(pairs.vote))
    effects = GroupEffects.fitted(values, both, pairs.n_arms**2, per_vote)
    return None if effects is None else _alone(_shift(effects, level, "votes", 1.0))


def _grade_shift(votes: GradedVotes, late: BoolColumn, level: float) -> Shift | None:
    """Of single images: entry i is of vote i."""
    grade = votes.grade.astype(np.float64)
    values = _by_half(votes, np.arange(len(votes)), grade, late)
    effects = GroupEffects.fitted(values, votes.arm, votes.n_arms)
    return None if effects is None else _alone(_shift(effects, level, "votes", inf))


def _by_half(
    votes: PairVotes | GradedVotes, rows: IntColumn, value: FloatArray, late: BoolColumn
) -> GroupedValues:
    return GroupedValues(
        value=value,
        group=late.astype(np.int64),
        prompt=votes.prompt[rows],
        annotator=votes.annotator[rows],
        n_groups=2,
        n_prompts=len(votes.prompts),
        n_annotators=len(votes.annotators),
    )


def _shift(effects: GroupEffects, level: float, what: str, largest: float) -> Shift:
    found = effects.contrast(difference_of(0, 1, 2))
    first, second = found.by_group.tolist()
    difference = contrast_of(found, level, what=what, largest=largest)
    return Shift(first=first, second=-second, difference=difference)


def _alone(shift: Shift) -> Shift:
    (difference,) = as_family([shift.difference])
    return replace(shift, difference=difference)
