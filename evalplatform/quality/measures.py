"""What each annotator's answers look like: columns in, one frozen record per annotator out.

Pure arithmetic; `selectors` reads the columns. An *answer* is a stored vote that was not taken
back, checks included, and whether or not it was excluded: an exclusion does not change what
somebody did. A *vote* is an answer to one of a comparison's k slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evalplatform.stats import factorise, majority_of_others, medians_by

OUTCOMES = ("A", "TIE", "B")
Column = npt.NDArray[np.int64]


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
    repeats: Share  # the same image preferred as the first time
    too_fast: Share  # of answers whose time is known
    left: Share  # of left and right answers
    ties: Share  # of answers
    majority: Share  # votes as more than half of at least two others' votes that count
    median_response_ms: float | None
    skips: dict[str, int] = field(default_factory=dict)  # by reason
    surplus: int = 0

    @property
    def favoured_side(self) -> str:
        return "left" if 2 * self.left.hits >= self.left.total else "right"

    @property
    def same_side(self) -> Share:
        """Left and right answers on the favoured side."""
        return Share(max(self.left.hits, self.left.total - self.left.hits), self.left.total)


@dataclass(frozen=True)
class Answers:
    """The answers of a campaign as columns of equal length."""

    annotator: Column  # database id
    purpose: npt.NDArray[np.str_]
    comparison: Column  # database id; 0 for gold pairs
    outcome: Column  # index in OUTCOMES
    choice: npt.NDArray[np.str_]
    response_ms: npt.NDArray[np.float64]  # nan where unknown
    counts: npt.NDArray[np.bool_]  # whether nobody excluded it

    def __len__(self) -> int:
        return len(self.annotator)


Counts = dict[int, Share]


def shares_of(answers: Answers, *, min_response_ms: int) -> dict[str, Counts]:
    """Return each share of `AnnotatorMeasures` by name, then by annotator id."""
    main = answers.purpose == "main"
    decided = np.isin(answers.choice, ("left", "right"))
    timed = ~np.isnan(answers.response_ms)
    first, seen_before = _first_outcome(answers)
    others, has_majority = majority_of_others(
        answers.comparison, answers.outcome, main & answers.counts
    )
    better = answers.outcome == OUTCOMES.index("A")
    everything = np.ones(len(answers), dtype=np.bool_)
    return {
        "votes": _share(answers, main, main),
        "answers": _share(answers, everything, everything),
        "gold": _share(answers, answers.purpose == "gold", better),
        "qualification": _share(answers, answers.purpose == "qualification", better),
        "repeats": _share(answers, seen_before, answers.outcome == first),
        "too_fast": _share(answers, timed, answers.response_ms < min_response_ms),
        "left": _share(answers, decided, answers.choice == "left"),
        "ties": _share(answers, everything, ~decided),
        "majority": _share(answers, main & has_majority, answers.outcome == others),
    }


def medians_of(answers: Answers) -> dict[int, float]:
    """Return the median response time (ms) by annotator id; nobody without a known time."""
    people, medians = medians_by(answers.annotator, answers.response_ms)
    return {int(person): float(each) for person, each in zip(people, medians, strict=True)}


def _share(answers: Answers, total: npt.NDArray[np.bool_], hit: npt.NDArray[np.bool_]) -> Counts:
    people, codes = np.unique(answers.annotator, return_inverse=True)
    totals = np.bincount(codes[total], minlength=len(people))
    hits = np.bincount(codes[total & hit], minlength=len(people))
    return {
        int(person): Share(int(h), int(t))
        for person, h, t in zip(people, hits, totals, strict=True)
    }


def _first_outcome(answers: Answers) -> tuple[Column, npt.NDArray[np.bool_]]:
    """Return for each repeat what its annotator answered first, and which rows these are."""
    pair, _ = factorise(zip(answers.annotator.tolist(), answers.comparison.tolist(), strict=True))
    outcome = np.full(int(pair.max(initial=-1)) + 1, -1, dtype=np.int64)
    main = answers.purpose == "main"
    outcome[pair[main]] = answers.outcome[main]
    first = outcome[pair]
    return first, (answers.purpose == "repeat") & (first >= 0)


def columns_of(rows: Sequence[tuple[object, ...]]) -> Answers:
    """Return answers given as rows; their fields are those `selectors` reads, in that order."""
    annotator, purpose, comparison, outcome, choice, response_ms, exclusion = (
        zip(*rows, strict=True) if rows else ((),) * 7
    )
    code = {name: index for index, name in enumerate(OUTCOMES)}
    return Answers(
        annotator=np.array(annotator, dtype=np.int64),
        purpose=np.array(purpose, dtype=np.str_),
        comparison=np.array([each or 0 for each in comparison], dtype=np.int64),
        outcome=np.array([code[str(each)] for each in outcome], dtype=np.int64),
        choice=np.array(choice, dtype=np.str_),
        response_ms=np.array(
            [np.nan if each is None else each for each in response_ms], dtype=np.float64
        ),
        counts=np.array([each is None for each in exclusion], dtype=np.bool_),
    )
