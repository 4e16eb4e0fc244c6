"""Votes on a gallery: many arms, compared two at a time.

Columns are codes without gaps in the smallest unsigned integers that hold them (7 to 8 bytes a
vote in most studies), beside the ids they stand for. Functions read them in chunks, so they need
little memory beyond the columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from .chunking import Codes, count_codes, positions, smallest_unsigned
from .columns import (
    BoolColumn,
    IntColumn,
    check_lengths,
    check_outcomes,
    factorise,
    is_missing,
    outcome_codes,
    refuse_mask,
)
from .errors import (
    ColumnTypeError,
    EmptyVotesError,
    MissingIdError,
    SelfComparisonError,
)

Labels = tuple[Hashable, ...]

_COLUMNS = ("first", "second", "outcome", "prompt", "annotator")


@dataclass(frozen=True, eq=False)
class PairVotes:
    """Frozen, validated columns; entry i of each describes vote i. Build by `from_columns`.

    Attributes:
        first, second: the two arms compared, as positions in `arms`.
        outcome: 0 (first wins), 1 (tie) or 2 (second wins), see `Outcome`.
        prompt: position of the prompt in `prompts`.
        annotator: position of the person who voted in `annotators`.
        arms, prompts, annotators: the ids behind the positions.
    """

    first: Codes
    second: Codes
    outcome: Codes
    prompt: Codes
    annotator: Codes
    arms: Labels
    prompts: Labels
    annotators: Labels

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in _COLUMNS}
        check_lengths(**columns)
        if len(self) == 0:
            raise EmptyVotesError("There is no vote. Give at least one.")
        labels = (self.arms, self.arms, (0, 1, 2), self.prompts, self.annotators)
        for (name, column), known in zip(columns.items(), labels, strict=True):
            if column.dtype.kind != "u" or int(column.max()) >= len(known):
                raise ColumnTypeError(f"{name} holds no positions. Use PairVotes.from_columns.")
            column.setflags(write=False)
        same = np.flatnonzero(self.first == self.second)
        if len(same):
            one = self.arms[self.first[same[0]]]
            raise SelfComparisonError(
                f"Arm {one!r} is compared with itself", same, "Drop these votes."
            )

    @classmethod
    def from_columns(
        cls,
        *,
        first: Iterable[Hashable],
        second: Iterable[Hashable],
        outcome: Iterable[Any],
        prompt: Iterable[Hashable],
        annotator: Iterable[Hashable],
    ) -> PairVotes:
        """Build votes from columns of any hashable ids and of outcomes as numbers or names.

        Integer arrays are the fast way. Their ids are ordered by size, all others by first
        appearance.

        Raises `LengthMismatchError`, `EmptyVotesError`, `MissingIdError`, `UnknownOutcomeError`,
        `SelfComparisonError` (the last three name the rows) or `ColumnTypeError`.

        >>> votes = PairVotes.from_columns(
        ...     first=["base", "base", "tuned"], second=["tuned", "distilled", "distilled"],
        ...     outcome=["B", "TIE", "A"], prompt=["cat", "cat", "dog"], annotator=[7, 8, 7])
        >>> votes.arms, votes.outcome.tolist(), votes.n_prompts
        (('base', 'tuned', 'distilled'), [2, 1, 0], 2)
        """
        first, second = (_column(name, c) for name, c in [("first", first), ("second", second)])
        models, arms = _coded("first or second", first, second)
        outcomes = _outcomes(outcome)
        prompt_codes, prompts = _coded("prompt", _column("prompt", prompt))
        annotator_codes, annotators = _coded("annotator", _column("annotator", annotator))
        return cls(
            models[0],
            models[1],
            outcomes,
            prompt_codes[0],
            annotator_codes[0],
            arms,
            prompts,
            annotators,
        )

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def n_arms(self) -> int:
        return len(self.arms)

    @property
    def n_prompts(self) -> int:
        """Prompts with at least one vote."""
        return int(np.count_nonzero(count_codes(self.prompt, len(self.prompts))))

    @property
    def n_annotators(self) -> int:
        """Annotators with at least one vote."""
        return int(np.count_nonzero(count_codes(self.annotator, len(self.annotators))))

    @property
    def nbytes(self) -> int:
        """Size of the columns in bytes."""
        return sum(int(getattr(self, name).nbytes) for name in _COLUMNS)

    def where(self, mask: npt.ArrayLike) -> PairVotes:
        """The votes for which `mask` is true; ids and positions stay as they are."""
        kept: BoolColumn = np.asarray(mask)
        if kept.dtype != np.bool_ or kept.ndim != 1:
            raise ColumnTypeError("mask must be a one-dimensional column of True and False.")
        check_lengths(votes=self.outcome, mask=kept)
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return replace(self, **{name: column[kept] for name, column in columns.items()})

    def among(self, arms: IntColumn) -> tuple[PairVotes, BoolColumn]:
        """The votes on two of these positions, with no other arm listed; and which rows they are.

        >>> votes = PairVotes.from_columns(first=[5, 5, 6], second=[6, 7, 7], outcome=[0, 1, 2],
        ...                                prompt=[1, 1, 2], annotator=[3, 4, 3])
        >>> kept, rows = votes.among(np.array([0, 2]))
        >>> kept.arms, kept.second.tolist(), rows.tolist()
        ((5, 7), [1], [False, True, False])
        """
        place = np.full(self.n_arms, len(arms), dtype=smallest_unsigned(len(arms) + 1))
        place[arms] = np.arange(len(arms))
        first, second = place[self.first], place[self.second]
        rows: BoolColumn = (first < len(arms)) & (second < len(arms))
        made = replace(
            self.where(rows),
            first=first[rows],
            second=second[rows],
            arms=tuple(self.arms[at] for at in arms),
        )
        return made, rows

    def cells(self, rows: slice | IntColumn) -> Codes:
        """(first * M + second) * 3 + outcome of some votes, for M arms.

        In the smallest integers: arithmetic on these is several times as fast.
        """
        small = smallest_unsigned(self.n_arms**2 * 3)
        cells = self.first[rows].astype(small)
        cells *= small.type(self.n_arms)
        cells += self.second[rows]
        cells *= small.type(3)
        cells += self.outcome[rows]
        return cells


def _outcomes(outcome: Iterable[Any]) -> Codes:
    if not (isinstance(outcome, np.ndarray) and outcome.dtype.kind in "iu"):
        outcome = outcome_codes(outcome)
    check_outcomes(outcome)
    return outcome.astype(np.uint8)


def _column(name: str, ids: Iterable[Hashable]) -> npt.NDArray[Any] | list[Hashable]:
    refuse_mask(name, ids)
    if isinstance(ids, np.ndarray):
        if ids.ndim != 1:
            raise ColumnTypeError(f"{name} has {ids.ndim} dimensions. Give one entry per vote.")
        if ids.dtype.kind in "iu":
            return ids
    given = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    missing = [row for row, one in enumerate(given) if is_missing(one)]
    if missing:
        raise MissingIdError(f"{name} is missing", missing, "Drop these votes or name their ids.")
    return given


def _coded(name: str, *columns: npt.NDArray[Any] | list[Hashable]) -> tuple[list[Codes], Labels]:
    """Positions of each column's ids in one common list of ids."""
    arrays = [column for column in columns if isinstance(column, np.ndarray) and len(column)]
    # Signed and unsigned 64-bit integers have no common type but float, which merges neighbours.
    if len(arrays) == len(columns) and np.result_type(*arrays).kind in "iu":
        small, ids = positions(*arrays)
        return small, tuple(ids.tolist())
    try:
        lists = (c.tolist() if isinstance(c, np.ndarray) else c for c in columns)
        codes, labels = factorise(chain.from_iterable(lists))
    except TypeError as error:
        raise ColumnTypeError(f"{name} holds ids that cannot be hashed: {error}.") from error
    short = codes.astype(smallest_unsigned(len(labels)))
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return [part.copy() for part in np.split(short, ends)], labels
