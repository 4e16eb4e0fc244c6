"""Votes as integer columns: the one input of every function in this package.

A vote is one annotator's answer about one item. An *item* is a comparison (two images of one
prompt, judged on one criterion); its k votes share the item, and one prompt may have many items.
Outcomes speak of identities (A, tie, B): left and right are presentation and end before here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from .chunking import Codes, chunks, positions
from .errors import (
    ColumnTypeError,
    EmptyVotesError,
    ItemAcrossPromptsError,
    LengthMismatchError,
    MissingIdError,
    UnknownOutcomeError,
)

IntColumn = npt.NDArray[np.int64]
BoolColumn = npt.NDArray[np.bool_]

_INT64 = np.iinfo(np.int64)
_ACCEPTED = "Accepted are 0 or 'A' (A wins), 1 or 'TIE', 2 or 'B' (B wins)."


class Outcome(IntEnum):
    """What one vote says of the pair (A, B)."""

    A = 0
    TIE = 1
    B = 2


@dataclass(frozen=True)
class Groups:
    """Votes sorted into groups: `codes` runs from 0 to `count` - 1, one entry per vote."""

    codes: IntColumn
    count: int


@dataclass(frozen=True)
class SmallGroups:
    """The same in the smallest unsigned integers: widen the codes before computing with them."""

    codes: Codes
    count: int

    @classmethod
    def of(cls, ids: IntColumn) -> SmallGroups:
        (codes,), found = positions(ids)
        return cls(codes, len(found))


@dataclass(frozen=True, eq=False)
class Votes:
    """Frozen, validated columns; entry i of each describes vote i.

    Attributes:
        outcome: 0 (A wins), 1 (tie) or 2 (B wins), see `Outcome`.
        prompt: id of the prompt the vote is about.
        annotator: id of the person who voted.
        item: id of the comparison; its k votes share it, and it has one prompt.

    Ids may be any integers. For other ids use `Votes.from_columns`.

    >>> votes = Votes(outcome=[0, 0, 2], prompt=[7, 7, 9], annotator=[1, 2, 1], item=[70, 70, 90])
    >>> len(votes), votes.n_prompts, votes.n_annotators, votes.n_items
    (3, 2, 2, 2)
    """

    outcome: IntColumn
    prompt: IntColumn
    annotator: IntColumn
    item: IntColumn

    def __post_init__(self) -> None:
        for name in ("outcome", "prompt", "annotator", "item"):
            object.__setattr__(self, name, _frozen_integers(name, getattr(self, name)))
        check_lengths(
            outcome=self.outcome, prompt=self.prompt, annotator=self.annotator, item=self.item
        )
        check_outcomes(self.outcome)
        check_one_prompt_per_item(positions(self.item)[0][0], self.prompt_codes.codes)

    @classmethod
    def from_columns(
        cls,
        *,
        outcome: Iterable[Any],
        prompt: Iterable[Hashable],
        annotator: Iterable[Hashable],
        item: Iterable[Hashable],
    ) -> Votes:
        """Build votes from columns of any hashable ids and of outcomes as numbers or names.

        A column of integers is kept as it is, so results can be matched to database keys. Any
        other column is coded 0, 1, 2, ... in order of first appearance, see `factorise`.

        >>> votes = Votes.from_columns(
        ...     outcome=["A", "TIE", "B"], prompt=["cat", "cat", "dog"],
        ...     annotator=["ana", "ben", "ana"], item=["c1", "c1", "c2"])
        >>> votes.outcome.tolist(), votes.prompt.tolist()
        ([0, 1, 2], [0, 0, 1])
        """
        return cls(
            outcome=outcome_codes(outcome),
            prompt=_id_codes("prompt", prompt),
            annotator=_id_codes("annotator", annotator),
            item=_id_codes("item", item),
        )

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def n_prompts(self) -> int:
        return self.prompt_codes.count

    @property
    def n_annotators(self) -> int:
        return self.annotator_codes.count

    @property
    def n_items(self) -> int:
        return self.by_item.count

    @cached_property
    def prompt_codes(self) -> SmallGroups:
        return SmallGroups.of(self.prompt)

    @cached_property
    def annotator_codes(self) -> SmallGroups:
        return SmallGroups.of(self.annotator)

    @cached_property
    def by_prompt(self) -> Groups:
        return group(self.prompt)

    @cached_property
    def by_annotator(self) -> Groups:
        return group(self.annotator)

    @cached_property
    def by_item(self) -> Groups:
        return group(self.item)

    @cached_property
    def by_pair(self) -> Groups:
        """Votes of one annotator on one prompt: the intersection of the two clusterings."""
        return group(self.by_prompt.codes * self.by_annotator.count + self.by_annotator.codes)

    def where(self, mask: npt.ArrayLike) -> Votes:
        """The votes for which `mask` is true, with their ids kept."""
        kept = np.asarray(mask)
        if kept.dtype != np.bool_ or kept.ndim != 1:
            raise ColumnTypeError("mask must be a one-dimensional column of True and False.")
        check_lengths(votes=self.outcome, mask=kept)
        return Votes(self.outcome[kept], self.prompt[kept], self.annotator[kept], self.item[kept])

    def swapped(self) -> Votes:
        """The same votes with A and B exchanged."""
        return Votes(2 - self.outcome, self.prompt, self.annotator, self.item)


def factorise(ids: Iterable[Hashable]) -> tuple[IntColumn, tuple[Hashable, ...]]:
    """Code ids 0, 1, 2, ... in order of first appearance; return the codes and the ids in order.

    >>> codes, labels = factorise(["b", "a", "b"])
    >>> codes.tolist(), labels
    ([0, 1, 0], ('b', 'a'))
    """
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu" and len(ids):
        return _factorised(ids)
    seen: dict[Hashable, int] = {}
    codes = np.array([seen.setdefault(one, len(seen)) for one in ids], dtype=np.int64)
    return codes, tuple(seen)


def _factorised(ids: npt.NDArray[Any]) -> tuple[IntColumn, tuple[Hashable, ...]]:
    """The same of integers, without a Python object for each."""
    (by_size,), found = positions(ids)
    first = np.empty(len(found), dtype=np.int64)
    first[by_size[::-1]] = np.arange(len(ids))[::-1]  # the last write, the first row, stays
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place[by_size], tuple(found[order].tolist())


@dataclass(frozen=True, eq=False)
class Labels:
    """A text for each of many rows: `names[codes[i]]` is that of row i."""

    codes: IntColumn
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], column: str = "labels") -> Labels:
        """Code texts in order of first appearance; `column` is what errors call them.

        Raises `ColumnTypeError` for what is no text.

        >>> labels = Labels.of(["dog", "", "dog"])
        >>> labels.codes.tolist(), labels.names
        ([0, 1, 0], ('dog', ''))
        """
        codes, names = factorise(texts)
        for code, name in enumerate(names):
            if not isinstance(name, str):
                row = int(np.flatnonzero(codes == code)[0])
                raise ColumnTypeError(
                    f"{column}[{row}] is {name!r}; a label is text, and '' where there is none."
                )
        return cls(codes, tuple(str(name) for name in names))

    def __len__(self) -> int:
        return len(self.codes)


def group(ids: IntColumn) -> Groups:
    """Recode integer ids without gaps, in linear time when they are not much larger than n."""
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= 4 * len(ids) + 1024:
        unique, codes = np.unique(ids, return_inverse=True)
        return Groups(codes.astype(np.int64), len(unique))
    present = np.zeros(high + 1, dtype=np.bool_)
    present[ids] = True
    position = np.cumsum(present) - 1
    return Groups(position[ids], int(position[-1]) + 1)


def refuse_mask(name: str, column: Any) -> None:
    """Raise `MissingIdError` for a masked array that hides rows: numpy would drop the mask."""
    if isinstance(column, np.ma.MaskedArray) and np.ma.is_masked(column):
        rows = np.flatnonzero(np.ma.getmaskarray(column))
        raise MissingIdError(f"{name} is masked", rows, "Drop these votes, or unmask their values.")


def _frozen_integers(name: str, column: npt.ArrayLike) -> IntColumn:
    refuse_mask(name, column)
    array = np.asarray(column)
    if array.ndim != 1:
        raise ColumnTypeError(f"{name} has {array.ndim} dimensions. Give one entry per vote.")
    if array.size == 0:
        raise EmptyVotesError(f"{name} is empty. Give at least one vote.")
    if array.dtype.kind not in "iu":
        raise ColumnTypeError(
            f"{name} holds {array.dtype}, not integers. Use Votes.from_columns for other ids."
        )
    if array.dtype.kind == "u" and int(array.max()) > _INT64.max:
        raise ColumnTypeError(f"{name} holds ids above 2**63 - 1. Use Votes.from_columns.")
    frozen = np.array(array, dtype=np.int64)
    frozen.setflags(write=False)
    return frozen


def check_lengths(**columns: npt.NDArray[Any]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise LengthMismatchError(lengths)


def check_outcomes(outcome: IntColumn) -> None:
    wrong = np.flatnonzero((outcome < Outcome.A) | (outcome > Outcome.B))
    if len(wrong):
        raise UnknownOutcomeError(f"Unknown outcome {outcome[wrong[0]]}", wrong, _ACCEPTED)


def check_one_prompt_per_item(items: Codes, prompts: Codes) -> None:
    prompt_of = np.empty(int(items.max()) + 1, dtype=prompts.dtype)
    parts = list(chunks(len(items)))
    for rows in reversed(parts):  # the last write, the first row, stays
        prompt_of[items[rows][::-1]] = prompts[rows][::-1]
    wrong = [
        rows.start + row
        for rows in parts
        for row in np.flatnonzero(prompt_of[items[rows]] != prompts[rows])
    ]
    if wrong:
        raise ItemAcrossPromptsError(
            "Votes of an item lie on another prompt than its first vote",
            wrong,
            "An item is a comparison of one prompt: give each comparison its own id.",
        )


def outcome_codes(outcomes: Iterable[Any]) -> IntColumn:
    refuse_mask("outcome", outcomes)
    if isinstance(outcomes, np.ndarray) and outcomes.dtype.kind in "iu":
        return outcomes.astype(np.int64)
    given = list(outcomes)
    codes = [_outcome_code(one) for one in given]
    wrong = [row for row, code in enumerate(codes) if code is None]
    if wrong:
        raise UnknownOutcomeError(f"Unknown outcome {given[wrong[0]]!r}", wrong, _ACCEPTED)
    return np.array(codes, dtype=np.int64)


def _outcome_code(outcome: Any) -> int | None:
    if isinstance(outcome, str):
        return Outcome[outcome].value if outcome in Outcome.__members__ else None
    if _is_integer(outcome) and Outcome.A <= outcome <= Outcome.B:
        return int(outcome)
    return None


def _id_codes(name: str, ids: Iterable[Hashable]) -> IntColumn:
    refuse_mask(name, ids)
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu" and ids.dtype != np.uint64:
        return ids.astype(np.int64)
    given = list(ids)
    missing = [row for row, one in enumerate(given) if is_missing(one)]
    if missing:
        raise MissingIdError(f"{name} is missing", missing, "Drop these votes or name their ids.")
    if all(_fits_int64(one) for one in given):
        return np.array(given, dtype=np.int64)
    try:
        return factorise(given)[0]
    except TypeError as error:
        raise ColumnTypeError(f"{name} holds ids that cannot be hashed: {error}.") from error


def _is_integer(one: Any) -> bool:
    return isinstance(one, Integral) and not isinstance(one, bool)


def _fits_int64(one: Any) -> bool:
    return _is_integer(one) and _INT64.min <= int(one) <= _INT64.max


def is_missing(one: Any) -> bool:
    """None, NaN, and what pandas or a masked array puts there: none of them equals itself."""
    if one is None or one is np.ma.masked:
        return True
    try:
        return not bool(one == one)
    except (TypeError, ValueError):  # pandas.NA refuses to be true or false
        return type(one).__name__ == "NAType"
