"""Graded votes: an annotator saw an ordered set of n images and graded each.

One vote is (item, prompt, annotator, the arms of its n images, their n grades). A higher grade is
better and equal grades tie. n = 1 is a rating (1 to 5) or keep / unsure / reject (2, 1, 0), n = 2
a pair, n = 3 to 8 a ranking. Only the order of grades within a vote counts, but for n = 1.

The n (n - 1) / 2 pairs of arms inside one vote are not independent of each other: all of them
carry the vote's prompt and annotator, by which every variance here is clustered.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .chunking import Codes, count_codes, n_present, positions, row_sums, smallest_unsigned
from .columns import (
    IntColumn,
    check_lengths,
    check_one_prompt_per_item,
    checked_mask,
    integers,
)
from .errors import (
    ColumnTypeError,
    EmptyVotesError,
    LengthMismatchError,
    SelfComparisonError,
    UnknownArmError,
)
from .pairs import Labels, PairVotes

MOST_IMAGES = 8  # of one set; a set of n has n (n - 1) / 2 pairs


@dataclass(frozen=True, eq=False)
class GradedVotes:
    """Frozen, validated columns. Build by `graded_votes`.

    Attributes:
        item: (V,) positions of the items, without gaps.
        prompt, annotator: (V,) positions in `prompts` and `annotators`.
        start: (V + 1,) vote v holds the entries start[v] to start[v + 1] - 1 of `arm`, `grade`.
        arm: (E,) positions in `arms`; grade: (E,) the grades, higher is better.
        arms, prompts, annotators: the ids behind the positions. An arm may have no entry.
    """

    item: Codes
    prompt: Codes
    annotator: Codes
    start: IntColumn
    arm: Codes
    grade: IntColumn
    arms: Labels
    prompts: Labels
    annotators: Labels

    def __post_init__(self) -> None:
        for name in ("item", "prompt", "annotator", "start", "arm", "grade"):
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def n_arms(self) -> int:
        return len(self.arms)

    @cached_property
    def n_items(self) -> int:
        return n_present(self.item)

    @cached_property
    def n_prompts(self) -> int:
        """Prompts with at least one vote."""
        return n_present(self.prompt)

    @cached_property
    def n_annotators(self) -> int:
        """Annotators with at least one vote."""
        return n_present(self.annotator)

    @cached_property
    def sizes(self) -> IntColumn:
        """(V,) the number of images in each vote."""
        return np.diff(self.start)

    @cached_property
    def votes_by_arm(self) -> IntColumn:
        """(M,) votes that grade an image of each arm; an arm is in a vote once at most."""
        return count_codes(self.arm, self.n_arms)

    def where(self, mask: npt.ArrayLike) -> GradedVotes:
        """The votes for which `mask` is true; ids and positions stay as they are."""
        kept = checked_mask(mask, self.prompt)
        if not kept.any():
            raise EmptyVotesError("mask leaves no vote. Keep at least one.")
        entries = np.repeat(kept, self.sizes)
        return replace(
            self,
            item=self.item[kept],
            prompt=self.prompt[kept],
            annotator=self.annotator[kept],
            start=_starts(self.sizes[kept]),
            arm=self.arm[entries],
            grade=self.grade[entries],
        )

    def ratings(self) -> GradedVotes | None:
        """The votes with one image, and the arms they rate; None where there is none.

        >>> votes = graded_votes(item=[0, 1], prompt=[0, 0], annotator=[0, 0],
        ...                      arm=[[0, 1], [2, -1]], grade=[[1, 0], [5, 0]])
        >>> votes.ratings().arms, votes.ratings().grade.tolist()
        ((2,), [5])
        """
        single = self.sizes == 1
        if not single.any():
            return None
        kept = self if single.all() else self.where(single)
        rated = np.flatnonzero(kept.votes_by_arm)
        place = np.zeros(self.n_arms, dtype=smallest_unsigned(len(rated)))
        place[rated] = np.arange(len(rated))
        return replace(kept, arm=place[kept.arm], arms=tuple(self.arms[at] for at in rated))

    def pairs(self) -> PairVotes | None:
        """All pairs of arms inside each vote; None where every vote has one image.

        Votes keep their order where all have one size; votes of a smaller size come first.

        >>> votes = graded_votes(item=[0], prompt=[0], annotator=[0], arm=[[0, 1, 2]],
        ...                      grade=[[2, 1, 2]])
        >>> made = votes.pairs()
        >>> made.first.tolist(), made.second.tolist(), made.outcome.tolist()
        ([0, 0, 1], [1, 2, 2], [0, 1, 2])
        """
        parts = [self._pairs_of_size(int(n)) for n in np.unique(self.sizes) if n > 1]
        if not parts:
            return None
        first, second, outcome, vote = (np.concatenate(part) for part in zip(*parts, strict=True))
        return PairVotes(
            first=first,
            second=second,
            outcome=outcome,
            prompt=self.prompt[vote],
            annotator=self.annotator[vote],
            vote=vote,
            arms=self.arms,
            prompts=self.prompts,
            annotators=self.annotators,
        )

    def _pairs_of_size(self, n: int) -> tuple[Codes, Codes, Codes, IntColumn]:
        held = np.flatnonzero(self.sizes == n)
        i, j = np.triu_indices(n, 1)
        entry = self.start[held][:, None] + np.arange(n)
        arm, grade = self.arm[entry], self.grade[entry]
        a, b = grade[:, i], grade[:, j]
        outcome = np.uint8(1) + (a < b).view(np.uint8) - (a > b).view(np.uint8)
        return arm[:, i].ravel(), arm[:, j].ravel(), outcome.ravel(), np.repeat(held, len(i))


def graded_votes(
    *,
    item: npt.ArrayLike,
    prompt: npt.ArrayLike,
    annotator: npt.ArrayLike,
    arm: npt.ArrayLike,
    grade: npt.ArrayLike,
    arms: Sequence[Hashable] | None = None,
    prompts: Sequence[Hashable] | None = None,
    annotators: Sequence[Hashable] | None = None,
) -> GradedVotes:
    """Build graded votes from integer columns.

    `item`, `prompt`, `annotator` have one integer a vote. `arm` and `grade` are tables (votes x
    n), padded with arm -1 where a vote has fewer images. Where `arms`, `prompts` or `annotators`
    are given, the column holds positions in that list; else it holds ids, and the list is made of
    them in ascending order. A set without a prompt clusters by itself: give it
    a prompt of its own. Votes of several criteria do not belong in one table.

    Units. Grades are integers, higher is better; 1 to 8 images a vote.

    Raises `EmptyVotesError`, `LengthMismatchError`, `ColumnTypeError`, `UnknownArmError` (a
    position beyond the list), `SelfComparisonError` (an arm twice in one vote) or
    `ItemAcrossPromptsError`; the last three name the rows.

    >>> votes = graded_votes(item=[0, 1], prompt=[7, 9], annotator=[4, 4],
    ...                      arm=[[0, 1, -1], [0, 2, 1]], grade=[[1, 0, 0], [2, 0, 1]],
    ...                      arms=["base", "tuned", "distilled"])
    >>> len(votes), votes.sizes.tolist(), votes.votes_by_arm.tolist(), votes.prompts
    (2, [2, 3], [2, 2, 1], (7, 9))
    """
    columns = {"item": item, "prompt": prompt, "annotator": annotator}
    by_vote = {name: integers(name, column) for name, column in columns.items()}
    check_lengths(**by_vote)
    if len(by_vote["item"]) == 0:
        raise EmptyVotesError("There is no vote. Give at least one.")
    start, flat_arm, flat_grade = _entries(arm, grade, len(by_vote["item"]))
    (items,), _ = positions(by_vote["item"])
    prompt_codes, prompt_labels = _labelled("prompt", by_vote["prompt"], prompts)
    annotator_codes, annotator_labels = _labelled("annotator", by_vote["annotator"], annotators)
    arm_codes, arm_labels = _labelled("arm", flat_arm, arms)
    check_one_prompt_per_item(items, prompt_codes)
    _refuse_arm_twice(start, arm_codes, arm_labels)
    return GradedVotes(
        item=items,
        prompt=prompt_codes,
        annotator=annotator_codes,
        start=start,
        arm=arm_codes,
        grade=flat_grade,
        arms=arm_labels,
        prompts=prompt_labels,
        annotators=annotator_labels,
    )


def _entries(
    arm: npt.ArrayLike, grade: npt.ArrayLike, n_votes: int
) -> tuple[IntColumn, npt.NDArray[Any], IntColumn]:
    """Offsets, arms and grades of all images in one column each."""
    arms, grades = integers("arm", arm, 2), integers("grade", grade, 2)
    if arms.shape != grades.shape:
        raise ColumnTypeError(
            f"arm has shape {arms.shape} and grade {grades.shape}. Give one grade per image."
        )
    if len(arms) != n_votes:
        raise LengthMismatchError({"item": n_votes, "arm": len(arms)})
    shown = arms >= 0
    n_images = row_sums(shown)
    arms, grades = arms[shown], grades[shown]
    wrong = np.flatnonzero((n_images < 1) | (n_images > MOST_IMAGES))
    if len(wrong):
        raise ColumnTypeError(
            f"Vote {wrong[0]} has {n_images[wrong[0]]} images; a set has 1 to {MOST_IMAGES}."
        )
    return _starts(n_images), arms, grades.astype(np.int16 if _fits_int16(grades) else np.int64)


def _labelled(
    name: str, column: npt.NDArray[Any], labels: Sequence[Hashable] | None
) -> tuple[Codes, Labels]:
    """Positions in the labels, which are the column's own ids where none are given."""
    if labels is None:
        (codes,), ids = positions(column)
        return codes, tuple(ids.tolist())
    if len(set(labels)) < len(labels):
        twice = next(one for at, one in enumerate(labels) if one in labels[:at])
        raise ColumnTypeError(f"{name}s lists {twice!r} twice. Give each id once.")
    wrong = np.flatnonzero((column < 0) | (column >= len(labels)))
    if len(wrong):
        raise UnknownArmError(
            f"{name} is {column[wrong[0]]}, beyond the {len(labels)} ids given",
            wrong,
            "Give positions in that list, counted from 0.",
        )
    return column.astype(smallest_unsigned(len(labels))), tuple(labels)


def _refuse_arm_twice(start: IntColumn, arm: Codes, arms: Labels) -> None:
    """Two images of one arm in a set say nothing of who is better."""
    vote = np.repeat(np.arange(len(start) - 1), np.diff(start))
    code = vote * len(arms) + arm
    if len(arms) * (len(start) - 1) <= 8 * len(code):
        repeated = np.bincount(code) > 1
        if not repeated.any():
            return
        at = np.flatnonzero(repeated)
    else:
        ids, times = np.unique(code, return_counts=True)
        at = ids[times > 1]
    if len(at):
        one = arms[int(at[0]) % len(arms)]
        raise SelfComparisonError(
            f"Arm {one!r} has two images in one vote", np.unique(at // len(arms)), "Drop one."
        )


def _starts(sizes: IntColumn) -> IntColumn:
    start = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=start[1:])
    return start


def _fits_int16(grades: npt.NDArray[Any]) -> bool:
    limit = np.iinfo(np.int16)
    return bool(grades.min() >= limit.min and grades.max() <= limit.max)
