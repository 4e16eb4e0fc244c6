"""All judgements of a file as columns of numbers, checked against each other.

Thirty-three bytes a vote, and about as many again while they are checked, so that a file of
millions fits; texts are kept once each, and no object of a vote or a set.
"""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from evalplatform.campaigns.forms import FORMS
from evalplatform.core.errors import BadInputError
from evalplatform.imports.faults import BadRowError
from evalplatform.imports.judgements import PAIR, RANKING, Judgement

Column = npt.NDArray[np.integer[Any]]
PromptCode = Callable[[str | None, str | None], int]
_FEW = 20  # votes, of which all may be for one side by chance
NO_TIME = -(2**62)  # microseconds since 1970 where the file gives none
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Book(dict[Any, int]):
    """Numbers things from 0 as they come."""

    def code(self, thing: Any) -> int:
        return self.setdefault(thing, len(self))


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
                "them apart, or have all read as pairs.",
                by_command="--as-pairs does it.",
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
    models: Book = field(default_factory=Book)  # those of a set, by name
    images: Book = field(default_factory=Book)  # of each of its models
    asked: list[Asked] = field(default_factory=list)
    says: Book = field(default_factory=Book)  # (criterion, order, answer)
    simulated: set[int] = field(default_factory=set)  # annotators
    _criteria: Book = field(default_factory=Book)
    # Prompt, models, images, annotator, what was said, time, whether simulated, row of the file.
    _columns: "tuple[array[int], ...]" = field(
        default_factory=lambda: tuple(array(each) for each in "iiiiiqbi")
    )

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, where: int, judgement: Judgement) -> None:
        """Take a judgement. Raises `BadRowError`."""
        most = FORMS["ranking"].most
        if judgement.kind == RANKING and len(judgement.models) > most:
            raise BadRowError(
                "too many",
                f"ranks {len(judgement.models)} models; a ranking has up to {most}; longer "
                "ones can be read as pairs",
            )
        label = judgement.criterion
        slug, label = (slug_of(label), label) if label else self.criterion
        prompt = self.prompt_code(judgement.prompt, judgement.key)
        by_name = sorted(range(len(judgement.models)), key=lambda at: judgement.models[at])
        order = [0] * len(by_name)
        for place, position in enumerate(by_name):
            order[position] = place
        images = tuple(judgement.images[at] for at in by_name) if judgement.images else ()
        criterion = self._criterion(slug, label, judgement)
        annotator = self.annotators.code(judgement.annotator)
        if judgement.is_simulated:
            self.simulated.add(annotator)
        row = (
            prompt,
            self.models.code(tuple(judgement.models[at] for at in by_name)),
            self.images.code(images),
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
        prompt, models, images, annotator, said, time, simulated, where = (
            np.frombuffer(column, dtype=column.typecode) for column in self._columns
        )
        which = (prompt.astype(np.int64) * len(self.models) + models) * len(self.images) + images
        of_set, firsts = _numbered(which)
        sets = SetsOfModels(prompt[firsts], models[firsts], images[firsts])
        del which
        criteria = np.array([criterion for criterion, _, _ in self.says], dtype=np.int32)
        item, firsts = _numbered(of_set.astype(np.int64) * len(self.asked) + criteria[said])
        items = np.stack([criteria[said[firsts]], of_set[firsts]], axis=1)
        del of_set
        later = _judged_again(item.astype(np.int64) * len(self.annotators) + annotator)
        if len(later) and not keep_first:
            at = int(later.min())
            same = (item == item[at]) & (annotator == annotator[at])
            raise JudgedTwiceError(
                int(where[at]), int(where[int(np.flatnonzero(same)[0])]), int(annotator[at])
            )
        kept: slice | npt.NDArray[np.bool_] = slice(None)  # no second copy of all
        if len(later):
            kept = np.ones(len(item), dtype=bool)
            kept[later] = False
        return GatheredVotes(
            item[kept], annotator[kept], said[kept], time[kept], simulated[kept], items, sets,
            len(later),
        )  # fmt: skip


def _numbered(keys: Column) -> tuple[Column, Column]:
    """Number different keys from 0 by first appearance: each one's number, and where each began."""
    order = np.argsort(keys, kind="stable")
    begins = np.ones(len(keys), dtype=bool)
    begins[1:] = np.diff(keys[order]) != 0
    firsts = order[begins]
    numbers = np.empty(len(firsts), dtype=np.int32)
    numbers[np.argsort(firsts)] = np.arange(len(firsts), dtype=np.int32)
    found = np.empty(len(keys), dtype=np.int32)
    found[order] = numbers[np.cumsum(begins, dtype=np.int32) - 1]
    return found, np.sort(firsts)


def _judged_again(keys: Column) -> Column:
    """Return where a key stands that stood before."""
    order = np.argsort(keys, kind="stable")
    return order[1:][np.diff(keys[order]) == 0]


class JudgedTwiceError(Exception):
    """One annotator judged one item twice: in which rows, and who."""

    def __init__(self, where: int, before: int, annotator: int) -> None:
        super().__init__(where, before, annotator)
        self.where, self.before, self.annotator = where, before, annotator


@dataclass(frozen=True)
class SetsOfModels:
    """Images that were judged together, in the order of first appearance.

    Attributes:
        prompt: (N,) of each set; models, images: (N,) in those books of the gathering.
    """

    prompt: Column
    models: Column
    images: Column

    def __len__(self) -> int:
        return len(self.prompt)


@dataclass(frozen=True)
class GatheredVotes:
    """Votes in the file's order, entry i of each column describing vote i.

    Attributes:
        item: position in `items`; annotator, said: in those of the gathering.
        time: microseconds since 1970, or `NO_TIME`; simulated: 0 or 1.
        items: (N, 2) criterion and set of each item, in the order of first appearance.
        sets: what was judged.
        repeated: votes that were left out since their annotator had judged the item before.
    """

    item: Column
    annotator: Column
    said: Column
    time: Column
    simulated: Column
    items: Column
    sets: SetsOfModels
    repeated: int

    def __len__(self) -> int:
        return len(self.item)

    def says_sides(self, says: Book) -> bool:
        """Whether it may be believed which image was left: not where one side always won."""
        counts = np.bincount(self.said, minlength=len(says)).tolist()
        sides = Counter[str]()
        for (_, _, answer), count in zip(says, counts, strict=True):
            sides[answer] += count
        left, right = sides["left"], sides["right"]
        return min(left, right) > 0 or left + right < _FEW

    def slots(self) -> Column:
        """The slot of each vote: 1 for an item's first, 2 for its second, and so on."""
        by_item = np.argsort(self.item, kind="stable")
        begins = np.ones(len(self.item), dtype=bool)
        begins[1:] = np.diff(self.item[by_item]) != 0
        at = np.arange(len(self.item), dtype=np.int32)
        first = np.maximum.accumulate(np.where(begins, at, np.int32(0)))
        slots = np.empty(len(self.item), dtype=np.int32)
        slots[by_item] = at - first + 1
        return slots

    def most_votes(self, criteria: int) -> list[int]:
        """Return for each criterion how many votes its items have at most."""
        counts = np.bincount(self.item, minlength=len(self.items))
        return [int(counts[self.items[:, 0] == each].max()) for each in range(criteria)]

    def rows(self, *more: Column, step: int = 10_000) -> Iterator[tuple[int, ...]]:
        """Yield (item, annotator, said, time, simulated) of each vote, as plain numbers.

        What stands in the columns of `more` follows.
        """
        columns = (self.item, self.annotator, self.said, self.time, self.simulated, *more)
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            yield from zip(*(column[part].tolist() for column in columns), strict=True)


def slug_of(label: str) -> str:
    """Return the slug of a criterion that a file names in its own words."""
    slug = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:40].strip("_")
    if not slug:
        raise BadRowError("not readable", f"its criterion {label[:60]!r} has no letters a to z")
    return slug


def _microseconds(moment: datetime | None) -> int:
    if moment is None:
        return NO_TIME
    return (moment - EPOCH) // MICROSECOND  # a float has no room for all of them
