"""Votes on a gallery: many checkpoints, compared two at a time.

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
    UnknownOptionError,
)

Labels = tuple[Hashable, ...]

_COLUMNS = ("model_a", "model_b", "outcome", "prompt", "annotator", "criterion")


@dataclass(frozen=True, eq=False)
class GalleryVotes:
    """Frozen, validated columns; entry i of each describes vote i. Build by `from_columns`.

    Attributes:
        model_a, model_b: the two checkpoints compared, as positions in `checkpoints`.
        outcome: 0 (model_a wins), 1 (tie) or 2 (model_b wins), see `Outcome`.
        prompt: position of the prompt in `prompts`.
        annotator: position of the person who voted in `annotators`.
        criterion: position of the criterion in `criteria`, or None where there is but one.
        checkpoints, prompts, annotators, criteria: the ids behind the positions.
    """

    model_a: Codes
    model_b: Codes
    outcome: Codes
    prompt: Codes
    annotator: Codes
    criterion: Codes | None
    checkpoints: Labels
    prompts: Labels
    annotators: Labels
    criteria: Labels

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in _COLUMNS}
        columns = {name: column for name, column in columns.items() if column is not None}
        check_lengths(**columns)
        if len(self) == 0:
            raise EmptyVotesError("There is no vote. Give at least one.")
        labels = (self.checkpoints, self.checkpoints, (0, 1, 2), self.prompts, self.annotators)
        for (name, column), known in zip(columns.items(), (*labels, self.criteria), strict=False):
            if column.dtype.kind != "u" or int(column.max()) >= len(known):
                raise ColumnTypeError(f"{name} holds no positions. Use GalleryVotes.from_columns.")
            column.setflags(write=False)
        same = np.flatnonzero(self.model_a == self.model_b)
        if len(same):
            one = self.checkpoints[self.model_a[same[0]]]
            raise SelfComparisonError(
                f"Checkpoint {one!r} is compared with itself", same, "Drop these votes."
            )

    @classmethod
    def from_columns(
        cls,
        *,
        model_a: Iterable[Hashable],
        model_b: Iterable[Hashable],
        outcome: Iterable[Any],
        prompt: Iterable[Hashable],
        annotator: Iterable[Hashable],
        criterion: Iterable[Hashable] | None = None,
    ) -> GalleryVotes:
        """Build votes from columns of any hashable ids and of outcomes as numbers or names.

        Integer arrays are the fast way. Their ids are ordered by size, all others by first
        appearance.

        Raises `LengthMismatchError`, `EmptyVotesError`, `MissingIdError`, `UnknownOutcomeError`,
        `SelfComparisonError` (the last three name the rows) or `ColumnTypeError`.

        >>> votes = GalleryVotes.from_columns(
        ...     model_a=["base", "base", "tuned"], model_b=["tuned", "distilled", "distilled"],
        ...     outcome=["B", "TIE", "A"], prompt=["cat", "cat", "dog"], annotator=[7, 8, 7])
        >>> votes.checkpoints, votes.outcome.tolist(), votes.n_prompts
        (('base', 'tuned', 'distilled'), [2, 1, 0], 2)
        """
        first, second = (
            _column(name, c) for name, c in [("model_a", model_a), ("model_b", model_b)]
        )
        models, checkpoints = _coded("model_a or model_b", first, second)
        outcomes = _outcomes(outcome)
        prompt_codes, prompts = _coded("prompt", _column("prompt", prompt))
        annotator_codes, annotators = _coded("annotator", _column("annotator", annotator))
        criterion_codes: Codes | None = None
        criteria: Labels = ()
        if criterion is not None:
            (criterion_codes,), criteria = _coded("criterion", _column("criterion", criterion))
        return cls(
            models[0],
            models[1],
            outcomes,
            prompt_codes[0],
            annotator_codes[0],
            criterion_codes,
            checkpoints,
            prompts,
            annotators,
            criteria,
        )

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def n_checkpoints(self) -> int:
        return len(self.checkpoints)

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
        columns = (getattr(self, name) for name in _COLUMNS)
        return sum(column.nbytes for column in columns if column is not None)

    def where(self, mask: npt.ArrayLike) -> GalleryVotes:
        """The votes for which `mask` is true; ids and positions stay as they are."""
        kept: BoolColumn = np.asarray(mask)
        if kept.dtype != np.bool_ or kept.ndim != 1:
            raise ColumnTypeError("mask must be a one-dimensional column of True and False.")
        check_lengths(votes=self.outcome, mask=kept)
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return replace(self, **{name: c[kept] for name, c in columns.items() if c is not None})

    def of_criterion(self, criterion: Hashable) -> GalleryVotes:
        """The votes on one criterion, without the criterion column."""
        if self.criterion is None or criterion not in self.criteria:
            raise UnknownOptionError(
                f"criterion is {criterion!r}; these votes have {list(self.criteria)}."
            )
        votes = self.where(self.criterion == self.criteria.index(criterion))
        return replace(votes, criterion=None, criteria=())

    def cells(self, rows: slice | IntColumn) -> Codes:
        """(model_a * M + model_b) * 3 + outcome of some votes, for M checkpoints.

        In the smallest integers: arithmetic on these is several times as fast.
        """
        small = smallest_unsigned(self.n_checkpoints**2 * 3)
        cells = self.model_a[rows].astype(small)
        cells *= small.type(self.n_checkpoints)
        cells += self.model_b[rows]
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
