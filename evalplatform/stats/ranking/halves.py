"""Do people order arms, tie or grade otherwise later in their work?"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import inf

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.contrasts import MeanContrast, contrasts_of, difference_of
from ..inference.intervals import check_level
from ..inference.means import GradeMeans, GroupedValues
from ..pairs.order import halves
from ..votes.columns import BoolColumn, IntColumn
from ..votes.graded import GradedVotes
from .shown_places import set_nets, values_beside_arms

METHOD = (
    "first half of each annotator's votes less the second; two-way clustered by prompt and "
    "annotator over both, t with Satterthwaite's df"
)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One figure in both halves: their values, and `difference`, the first less the second."""

    first: float
    second: float
    difference: MeanContrast


@dataclass(frozen=True, kw_only=True)
class ArmShift(Shift):
    """The net of an arm over the others of its sets, in [-1, 1]; difference in [-2, 2]."""

    arm: Hashable


@dataclass(frozen=True, kw_only=True)
class ArmsDrift:
    """The first half of each annotator's votes beside the second, see `arms_drift`.

    Attributes:
        arms: of sets of several images, one per arm with votes in both halves; one family for
            Holm's p.
        ties: share of the pairs of a set that tie; None without such sets.
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

    Formula. Of sets of several images the net of each arm over the others of its sets, and the
    share of pairs that tie; of single images the mean grade, the arms' effects taken out by least
    squares so that neither half has the better arms. Each is a mean over the votes of a half, and
    differences are clustered by prompt and annotator over both halves together.

    How to read. An arm that is liked less later shows as a difference above 0; nets of all arms
    have mean 0, so others then show below. Mean grades that fall shift all arms alike and change
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
    if several.any():
        sets, is_late = votes.where(several), late[several]
        arms, ties = _arm_shifts(sets, is_late, level), _tie_shift(sets, is_late, level)
    if not several.all():
        grades = _grade_shift(votes.where(~several), late[~several], level)
    return ArmsDrift(
        arms=arms,
        ties=ties,
        grades=grades,
        n_left_out=int(np.count_nonzero(~kept)),
        level=level,
    )


def _arm_shifts(votes: GradedVotes, late: BoolColumn, level: float) -> tuple[ArmShift, ...]:
    vote = np.repeat(np.arange(len(votes)), votes.sizes)
    n_groups = 2 * votes.n_arms
    group = 2 * votes.arm.astype(np.int64) + late[vote]
    means = _means(votes, set_nets(votes), group, vote, n_groups)
    in_both = [arm for arm in range(votes.n_arms) if means.n[2 * arm] and means.n[2 * arm + 1]]
    vectors = [difference_of(2 * arm, 2 * arm + 1, n_groups) for arm in in_both]
    found = contrasts_of(means, vectors, level, what="votes on an arm", largest=2.0)
    return tuple(
        ArmShift(
            arm=votes.arms[arm],
            first=float(means.means[2 * arm]),
            second=float(means.means[2 * arm + 1]),
            difference=difference,
        )
        for arm, difference in zip(in_both, found, strict=True)
    )


def _tie_shift(votes: GradedVotes, late: BoolColumn, level: float) -> Shift | None:
    every = np.arange(len(votes))
    return _shift(_means(votes, _tie_shares(votes), late.astype(np.int64), every, 2), level, 1.0)


def _grade_shift(votes: GradedVotes, late: BoolColumn, level: float) -> Shift | None:
    """Of single images: entry i is of vote i."""
    half = late.astype(np.int64)
    grade = votes.grade.astype(np.float64)
    apart = values_beside_arms(grade, votes.arm, half, votes.n_arms, 2)
    if apart is None:
        return None
    levelled = apart + (grade.mean() - apart.mean())  # around the mean grade again
    return _shift(_means(votes, levelled, half, np.arange(len(votes)), 2), level, inf)


def _shift(means: GradeMeans, level: float, largest: float) -> Shift | None:
    if not means.n.all():
        return None
    (found,) = contrasts_of(means, [difference_of(0, 1, 2)], level, what="votes", largest=largest)
    return Shift(first=float(means.means[0]), second=float(means.means[1]), difference=found)


def _means(
    votes: GradedVotes, value: FloatArray, group: IntColumn, vote: IntColumn, n_groups: int
) -> GradeMeans:
    """Means by group of values that belong to these votes, one or several to each."""
    return GradeMeans.of_values(
        GroupedValues(
            value=value,
            group=group,
            prompt=votes.prompt[vote],
            annotator=votes.annotator[vote],
            n_groups=n_groups,
            n_prompts=len(votes.prompts),
            n_annotators=len(votes.annotators),
        )
    )


def _tie_shares(votes: GradedVotes) -> FloatArray:
    """(V,) of each vote on several images, the share of its pairs that tie."""
    shares = np.zeros(len(votes))
    for n in np.unique(votes.sizes).tolist():
        held = np.flatnonzero(votes.sizes == n)
        grade = votes.grade[votes.start[held][:, None] + np.arange(n)]
        i, j = np.triu_indices(n, 1)
        shares[held] = (grade[:, i] == grade[:, j]).mean(axis=1)
    return shares
