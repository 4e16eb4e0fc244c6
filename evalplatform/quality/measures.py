"""What each annotator's answers look like: columns in, one frozen record per annotator out.

Arithmetic alone; `annotation.answer_columns` reads the columns. An *answer* is a stored vote that
was not taken back, checks included, and whether or not it was excluded: an exclusion does not
change what somebody did. A *vote* is an answer to one of an item's k slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evalplatform.annotation.answer_columns import (
    GOLD,
    LEFT,
    MAIN,
    NO_SIDE,
    QUALIFICATION,
    REPEAT,
    TIE,
    UNKNOWN_MS,
    AnswerColumns,
)
from evalplatform.stats import factorise, majority_of_others, medians_by

Mask = npt.NDArray[np.bool_]
Column = npt.NDArray[np.int64]
IsRight = Callable[[int, int], bool]
"""Whether what was said of the gold item with this id (first) is right."""


@dataclass(frozen=True)
class Share:
    """`hits` out of `total`, a share in [0, 1]; `str` says "7 of 8 (87.5 %)"."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """None where the total is 0."""
        return self.hits / self.total if self.total else None

    @property
    def percent(self) -> str:
        return "–" if self.value is None else f"{100 * self.value:.1f} %"

    def __str__(self) -> str:
        return f"{self.hits:,} of {self.total:,} ({self.percent})"


@dataclass(frozen=True)
class AnnotatorMeasures:
    """What one annotator's answers in a campaign look like."""

    pseudonym: str
    is_simulated: bool
    excluded_by: str  # rule in force, or empty
    votes: int
    answers: int
    gold: Share  # right; a tie is wrong
    qualification: Share  # right
    repeats: Share  # answered as the first time
    too_fast: Share  # of answers whose time is known
    left: Share  # of left and right answers
    ties: Share  # of answers
    majority: Share  # votes as more than half of at least two others' votes that count
    median_response_ms: float | None
    skips: dict[str, int] = field(default_factory=dict)  # by reason
    surplus: int = 0
    comprehension_tries: int = 0  # at the questions about the instructions

    @property
    def favoured_side(self) -> str:
        return "left" if 2 * self.left.hits >= self.left.total else "right"

    @property
    def same_side(self) -> Share:
        """Left and right answers on the favoured side."""
        return Share(max(self.left.hits, self.left.total - self.left.hits), self.left.total)


@dataclass(frozen=True)
class AnnotatorFacts:
    """What is known of one annotator in a campaign beside their answers."""

    annotator: int  # id
    pseudonym: str
    is_simulated: bool
    excluded_by: str = ""
    skips: dict[str, int] = field(default_factory=dict)
    surplus: int = 0
    comprehension_tries: int = 0


Counts = dict[int, Share]


def measures_from(
    answers: AnswerColumns,
    people: Iterable[AnnotatorFacts],
    *,
    min_response_ms: int,
    is_right: IsRight,
    pairs: Mask,
) -> list[AnnotatorMeasures]:
    """Return the measures of these people, in their order; the rest as for `shares_of`."""
    shares = shares_of(answers, min_response_ms=min_response_ms, is_right=is_right, pairs=pairs)
    medians = medians_of(answers)
    measures = []
    for person in people:
        who = person.annotator
        mine = {name: by_person.get(who, Share(0, 0)) for name, by_person in shares.items()}
        measures.append(
            AnnotatorMeasures(
                pseudonym=person.pseudonym,
                is_simulated=person.is_simulated,
                excluded_by=person.excluded_by,
                votes=mine.pop("votes").total,
                answers=mine.pop("answers").total,
                median_response_ms=medians.get(who),
                skips=person.skips,
                surplus=person.surplus,
                comprehension_tries=person.comprehension_tries,
                **mine,
            )
        )
    return measures


def shares_of(
    answers: AnswerColumns, *, min_response_ms: int, is_right: IsRight, pairs: Mask
) -> dict[str, Counts]:
    """Return each share of `AnnotatorMeasures` by name, then by annotator id.

    `pairs` marks the answers to two images: sides, ties and majorities are theirs alone.
    """
    main = answers.purpose == MAIN
    decided = pairs & (answers.side != NO_SIDE)
    timed = answers.response_ms != UNKNOWN_MS
    first, seen_before = _first_said(answers)
    outcomes = np.where(pairs, answers.said, TIE)  # what is no pair is not counted below
    others, has_majority = majority_of_others(
        answers.item, outcomes, main & (answers.exclusion == 0) & pairs
    )
    right = _right(answers, is_right)
    everything = np.ones(len(answers), dtype=np.bool_)
    share = _Shares.of(answers.annotator)
    return {
        "votes": share(main, main),
        "answers": share(everything, everything),
        "gold": share(answers.purpose == GOLD, right),
        "qualification": share(answers.purpose == QUALIFICATION, right),
        "repeats": share(seen_before, answers.said == first),
        "too_fast": share(timed, answers.response_ms < min_response_ms),
        "left": share(decided, answers.side == LEFT),
        "ties": share(pairs, ~decided),
        "majority": share(main & pairs & has_majority, answers.said == others),
    }


def medians_of(answers: AnswerColumns) -> dict[int, float]:
    """Return the median response time (ms) by annotator id; nobody without a known time."""
    times = np.where(answers.response_ms == UNKNOWN_MS, np.nan, answers.response_ms)
    people, medians = medians_by(answers.annotator, times)
    return {int(person): float(each) for person, each in zip(people, medians, strict=True)}


def _right(answers: AnswerColumns, is_right: IsRight) -> Mask:
    """Return which answers to gold are right; False for all others."""
    (places,) = np.nonzero((answers.purpose == GOLD) | (answers.purpose == QUALIFICATION))
    found = np.zeros(len(answers), dtype=np.bool_)
    known: dict[tuple[int, int], bool] = {}
    for place in places.tolist():
        key = int(answers.item[place]), int(answers.said[place])
        if key not in known:
            known[key] = is_right(*key)
        found[place] = known[key]
    return found


@dataclass(frozen=True, eq=False)
class _Shares:
    """Shares by annotator: who gave each answer, as positions in their ids."""

    people: list[int]
    who: Column

    @classmethod
    def of(cls, annotator: Column) -> _Shares:
        people, who = np.unique(annotator, return_inverse=True)
        return cls(people.tolist(), who)

    def __call__(self, total: Mask, hit: Mask) -> Counts:
        """The share of each person's answers in `total` that are in `hit`."""
        totals = np.bincount(self.who[total], minlength=len(self.people)).tolist()
        hits = np.bincount(self.who[total & hit], minlength=len(self.people)).tolist()
        return dict(zip(self.people, map(Share, hits, totals), strict=True))


def _first_said(answers: AnswerColumns) -> tuple[Column, Mask]:
    """Return for each repeat what its annotator said first, and which rows these are."""
    first = np.full(len(answers), -1, dtype=np.int64)
    repeats = answers.purpose == REPEAT
    # Of all votes few are on an item that is repeated: only those are looked at.
    near = np.flatnonzero(np.isin(answers.item, np.unique(answers.item[repeats])))
    who = zip(answers.annotator[near].tolist(), answers.item[near].tolist(), strict=True)
    pair, _ = factorise(who)
    said = np.full(int(pair.max(initial=-1)) + 1, -1, dtype=np.int64)
    main = answers.purpose[near] == MAIN
    said[pair[main]] = answers.said[near][main]
    first[near] = said[pair]
    return first, repeats & (first >= 0)
