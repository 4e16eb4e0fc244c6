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

_LARGEST = np.iinfo(np.int64).max


class Outcome(IntEnum):
    """What one vote says of the pair (A, B)."""

    A = 0
    TIE = 1
    B = 2


@dataclass(frozen=True)
class Groups:
    """Votes sorted into groups: `codes` runs from 0 to `count` - 1, one entry per vote.

    Codes may be the smallest unsigned integers: widen them before computing with them.
    """

    codes: Codes
    count: int

    @classmethod
    def small(cls, ids: IntColumn) -> Groups:
        """Groups of the same ids, with codes in the smallest unsigned integers."""
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

    Ids may be any integers; `factorise` makes them of others.

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
        wrong = np.flatnonzero((self.outcome < Outcome.A) | (self.outcome > Outcome.B))
        if len(wrong):
            unknown = f"Unknown outcome {self.outcome[wrong[0]]}"
            raise UnknownOutcomeError(unknown, wrong, "Accepted are 0 (A), 1 (tie) and 2 (B).")
        check_one_prompt_per_item(positions(self.item)[0][0], self.prompt_codes.codes)

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
    def prompt_codes(self) -> Groups:
        return Groups.small(self.prompt)

    @cached_property
    def annotator_codes(self) -> Groups:
        return Groups.small(self.annotator)

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
        kept = checked_mask(mask, self.outcome)
        return Votes(self.outcome[kept], self.prompt[kept], self.annotator[kept], self.item[kept])


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


def integers(name: str, column: npt.ArrayLike, dimensions: int = 1) -> npt.NDArray[Any]:
    """The column as integers, or as a table of them. Raises `ColumnTypeError` for anything else."""
    refuse_mask(name, column)
    array = np.asarray(column)
    if array.size == 0 and array.ndim == dimensions:
        return array.astype(np.int64)
    if array.ndim != dimensions or array.dtype.kind not in "iu":
        wanted = "one-dimensional column" if dimensions == 1 else "table (votes x images)"
        raise ColumnTypeError(
            f"{name} has {array.ndim} dimensions of {array.dtype}; give a {wanted} of integers."
        )
    return array


def _frozen_integers(name: str, column: npt.ArrayLike) -> IntColumn:
    array = integers(name, column)
    if array.size == 0:
        raise EmptyVotesError(f"{name} is empty. Give at least one vote.")
    if array.dtype.kind == "u" and int(array.max()) > _LARGEST:
        raise ColumnTypeError(f"{name} holds ids above 2**63 - 1; give smaller ones.")
    frozen = np.array(array, dtype=np.int64)
    frozen.setflags(write=False)
    return frozen


def checked_mask(mask: npt.ArrayLike, votes: npt.NDArray[Any]) -> BoolColumn:
    """The mask as a column of True and False, one entry a vote."""
    kept: BoolColumn = np.asarray(mask)
    if kept.dtype != np.bool_ or kept.ndim != 1:
        raise ColumnTypeError("mask must be a one-dimensional column of True and False.")
    check_lengths(votes=votes, mask=kept)
    return kept


def check_lengths(**columns: npt.NDArray[Any]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise LengthMismatchError(lengths)


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
