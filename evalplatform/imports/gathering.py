"""All judgements of a file as columns of numbers, checked against each other.

A hundred bytes a vote, so that a file of millions fits; texts are kept once each.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from evalplatform.campaigns.forms import FORMS
from evalplatform.core.errors import BadInputError
from evalplatform.imports.faults import BadRowError
from evalplatform.imports.judgements import PAIR, RANKING, Judgement

Column = npt.NDArray[np.int64]
PromptCode = Callable[[str | None, str | None], int]
_FEW = 20  # votes, of which all may be for one side by chance
NO_TIME = -(2**62)  # microseconds since 1970 where the file gives none


class Book(dict[Any, int]):
    """Numbers things from 0 as they come."""

    def code(self, thing: Any) -> int:
        return self.setdefault(thing, len(self))


@dataclass(frozen=True)
class SetOfModels:
    """Images that were judged together: the models by place, and which image of each."""

    prompt: int
    models: tuple[str, ...]  # by name
    images: tuple[str, ...]


@dataclass
class Asked:
    """What is known of one criterion.

    Attributes:
        slug, label: as the file, or the person who imports it, names it.
        kinds, answers: those that came.
    """

    slug: str
    label: str
    kinds: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)

    @property
    def form(self) -> str:
        """The form that holds its answers. Raises `BadInputError` where none does."""
        if len(self.kinds) > 1:
            raise BadInputError(
                f"criterion {self.slug!r} has {' and '.join(sorted(self.kinds))} votes; import "
                "them apart, or read all as pairs with --as-pairs."
            )
        if self.kinds != {PAIR}:
            return next(iter(self.kinds))
        if not {"both", "neither"} & self.answers:
            return "pair"
        if {"tie", "both"} <= self.answers:
            raise BadInputError(
                f"criterion {self.slug!r} has both, and ties of which nobody knows whether they "
                "are both or neither; write one of these two."
            )
        return "pair_both_neither"

    def stored(self, answer: str) -> str:
        """An answer as its form writes it: beside `neither`, a tie is one of two good images."""
        return "both" if answer == "tie" and self.form == "pair_both_neither" else answer


@dataclass
class Gathering:
    """Takes judgements one by one.

    Attributes:
        prompt_code: the number of a prompt by text or key; raises `BadRowError`.
        criterion: (slug, label) of what the file names no criterion for.
    """

    prompt_code: PromptCode
    criterion: tuple[str, str]
    annotators: Book = field(default_factory=Book)
    sets: dict[SetOfModels, int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    says: Book = field(default_factory=Book)  # (criterion, order, answer)
    simulated: set[int] = field(default_factory=set)  # annotators
    _criteria: Book = field(default_factory=Book)
    _items: Book = field(default_factory=Book)  # (criterion, set)
    _columns: "tuple[array[int], ...]" = field(
        default_factory=lambda: tuple(array("q") for _ in range(6))
    )

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, where: int, judgement: Judgement) -> None:
        """Take a judgement. Raises `BadRowError`."""
        most = FORMS["ranking"].most
        if judgement.kind == RANKING and len(judgement.models) > most:
            raise BadRowError(
                "too many",
                f"ranks {len(judgement.models)} models; a ranking has up to {most}, and --as-pairs "
                "reads longer ones as pairs",
            )
        label = judgement.criterion
        slug, label = (slug_of(label), label) if label else self.criterion
        prompt = self.prompt_code(judgement.prompt, judgement.key)
        by_name = sorted(range(len(judgement.models)), key=lambda at: judgement.models[at])
        order = [0] * len(by_name)
        for place, position in enumerate(by_name):
            order[position] = place
        shown = SetOfModels(
            prompt,
            tuple(judgement.models[at] for at in by_name),
            tuple(judgement.images[at] for at in by_name) if judgement.images else (),
        )
        criterion = self._criterion(slug, label, judgement)
        judged = self.sets.setdefault(shown, len(self.sets))
        annotator = self.annotators.code(judgement.annotator)
        if judgement.is_simulated:
            self.simulated.add(annotator)
        row = (
            self._items.code((criterion, judged)),
            annotator,
            self.says.code((criterion, tuple(order), judgement.answer)),
            _microseconds(judgement.judged_at),
            judgement.is_simulated,
            where,
        )
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _criterion(self, slug: str, label: str, judgement: Judgement) -> int:
        code = self._criteria.code(slug)
        if code == len(self.asked):
            self.asked.append(Asked(slug, label))
        self.asked[code].kinds.add(judgement.kind)
        if judgement.kind == PAIR:
            self.asked[code].answers.add(judgement.answer)
        return code

    def votes(self, *, keep_first: bool) -> "GatheredVotes":
        """Return all of them. Raises `JudgedTwiceError` where somebody judged an item twice."""
        item, annotator, said, time, simulated, where = (
            np.frombuffer(column, dtype=np.int64) if len(column) else np.zeros(0, np.int64)
            for column in self._columns
        )
        by_item = np.lexsort((np.arange(len(item)), annotator, item))
        again = (np.diff(item[by_item]) == 0) & (np.diff(annotator[by_item]) == 0)
        later = by_item[1:][again]
        if len(later) and not keep_first:
            at = int(later.min())
            same = (item == item[at]) & (annotator == annotator[at])
            raise JudgedTwiceError(
                int(where[at]), int(where[int(np.flatnonzero(same)[0])]), int(annotator[at])
            )
        kept = np.ones(len(item), dtype=bool)
        kept[later] = False
        items = np.array(list(self._items), dtype=np.int64).reshape(-1, 2)
        return GatheredVotes(
            item[kept], annotator[kept], said[kept], time[kept], simulated[kept], items, len(later)
        )


class JudgedTwiceError(Exception):
    """One annotator judged one item twice: in which rows, and who."""

    def __init__(self, where: int, before: int, annotator: int) -> None:
        super().__init__(where, before, annotator)
        self.where, self.before, self.annotator = where, before, annotator


@dataclass(frozen=True)
class GatheredVotes:
    """Votes in the file's order, entry i of each column describing vote i.

    Attributes:
        item: position in `items`; annotator, said: in those of the gathering.
        time: microseconds since 1970, or `NO_TIME`; simulated: 0 or 1.
        items: (N, 2) criterion and set of each item, in the order of first appearance.
        repeated: votes that were left out since their annotator had judged the item before.
    """

    item: Column
    annotator: Column
    said: Column
    time: Column
    simulated: Column
    items: Column
    repeated: int

    def __len__(self) -> int:
        return len(self.item)

    def says_sides(self, says: Book) -> bool:
        """Whether it may be believed which image was left: not where one side always won."""
        answers = np.array([answer for _, _, answer in says])[self.said]
        left, right = int((answers == "left").sum()), int((answers == "right").sum())
        return min(left, right) > 0 or left + right < _FEW

    def slots(self) -> Column:
        """The slot of each vote: 1 for an item's first, 2 for its second, and so on."""
        by_item = np.argsort(self.item, kind="stable")
        at = np.arange(len(self.item))
        begins = np.r_[True, np.diff(self.item[by_item]) != 0]
        first = np.maximum.accumulate(np.where(begins, at, 0))
        slots = np.empty(len(self.item), dtype=np.int64)
        slots[by_item] = at - first + 1
        return slots

    def most_votes(self, criteria: int) -> list[int]:
        """Return for each criterion how many votes its items have at most."""
        counts = np.bincount(self.item, minlength=len(self.items))
        return [int(counts[self.items[:, 0] == each].max()) for each in range(criteria)]

    def columns(self, step: int = 10_000) -> Iterator[tuple[int, ...]]:
        """Yield (item, annotator, said, time, simulated) of each vote, as plain numbers."""
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            yield from zip(
                *(
                    column[part].tolist()
                    for column in (self.item, self.annotator, self.said, self.time, self.simulated)
                ),
                strict=True,
            )


def slug_of(label: str) -> str:
    """Return the slug of a criterion that a file names in its own words."""
    slug = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40].strip("_")
    if not slug:
        raise BadRowError("not readable", f"its criterion {label[:60]!r} has no letters a to z")
    return slug


def _microseconds(moment: datetime | None) -> int:
    if moment is None:
        return NO_TIME
    return int(moment.timestamp() * 1_000_000)
