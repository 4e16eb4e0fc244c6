"""What each annotator's votes look like beside those of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..inference.intervals import check_level, wilson
from ..votes.chunking import row_sums
from ..votes.columns import BoolColumn, IntColumn, Outcome, Votes, refuse_mask
from ..votes.errors import ColumnTypeError, LengthMismatchError, RowsError
from .confusion import DawidSkene, dawid_skene
from .leave_one_out import N_OUTCOMES, majority_of_others, medians_by, votes_of_others

OUTLIER_Z = 3.5
"""Below -OUTLIER_Z an annotator is an outlier: the limit of Iglewicz and Hoaglin (1993)."""

_FEWEST_TO_COMPARE = 5  # annotators; the median absolute deviation of fewer says little


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share of independent answers of one person with Wilson's interval, see `proportion`."""

    hits: int
    total: int
    value: float | None
    low: float | None
    high: float | None
    level: float
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class AnnotatorProfile:
    """One annotator, see `annotators`. Shares are in [0, 1]; what is unknown is None or a state.

    Attributes:
        annotator: id.
        n_votes: votes on items.
        gold: gold answers that were right.
        agreement: votes that say what more than half of at least two others said of the item.
        ties: votes for a tie.
        left: decided votes that chose the left image.
        side_p_value: exact two-sided binomial test of left = 1/2.
        median_ms: median response time, milliseconds.
        accuracy, confusion: Dawid and Skene's, see `DawidSkene`; 3 x 3 rows by true class.
        outlier_z: how unlike the others' these votes are; below -`OUTLIER_Z` is an outlier.
    """

    annotator: int
    n_votes: int
    gold: Proportion
    agreement: Proportion
    ties: Proportion
    left: Proportion
    side_p_value: float | None
    median_ms: float | None
    accuracy: float | None
    confusion: tuple[tuple[float, ...], ...] | None
    outlier_z: float | None

    @property
    def is_outlier(self) -> bool:
        return self.outlier_z is not None and self.outlier_z < -OUTLIER_Z


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotators:
    """Every annotator's profile by ascending id, see `annotators`.

    `model` is the Dawid-Skene fit the accuracies come from; `outlier_state` and `outlier_reason`
    say why nobody has an outlier score.
    """

    profiles: tuple[AnnotatorProfile, ...]
    model: DawidSkene
    outlier_state: State
    outlier_reason: str
    level: float

    def by_id(self) -> Mapping[int, AnnotatorProfile]:
        return {each.annotator: each for each in self.profiles}


def annotators(
    votes: Votes,
    *,
    chosen_left: npt.ArrayLike | None = None,
    response_ms: npt.ArrayLike | None = None,
    gold_annotator: npt.ArrayLike | None = None,
    gold_right: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Annotators:
    """Profile every annotator: gold, agreement, sides, ties, speed, confusion, outlier score.

    `chosen_left` has one entry per vote, 1 or 0 for a left or right answer; ties are taken from
    the outcome, whatever stands there. `response_ms` has one entry per vote, NaN where unknown.
    `gold_annotator` and `gold_right` hold one entry per gold answer: an id, and 1 where it was
    right. Gold answers are no votes; who gave only gold answers has a profile too.

    Formula. Shares have Wilson's interval, one person's answers being taken as independent.
    Agreement leaves the person out of the majority. For the outlier score, let q be the shares of
    the others' votes on the item, with one vote more that is spread like all votes; then

        x_j = sum (log q(answer) - E_q log q) / sqrt(sum Var_q log q)

    over the votes of j that somebody else voted beside, and z_j = (x_j - median) / (1.4826 MAD)
    over all annotators: 0 is usual, below -3.5 an outlier. Five such annotators are needed.

    How to read. Low gold accuracy is carelessness. Low agreement may be a taste of one's own;
    beside gold that is right, it is no reason to exclude. One person in twenty leans to a side
    with p < 0.05 without any bias: of many annotators look at the smallest p only.

    References. Wilson (1927), JASA 22:209-212; Dawid and Skene (1979), Applied Statistics
    28:20-28; the leave-one-out likelihood after Perez-Ortiz and Mantiuk (2017), arXiv 1712.03686;
    its scale after Iglewicz and Hoaglin (1993), How to detect and handle outliers.

    >>> votes = Votes(outcome=[0, 0, 0, 2, 2, 2, 2, 0], prompt=[1, 1, 1, 1, 2, 2, 2, 2],
    ...               annotator=[1, 2, 3, 4] * 2, item=[1, 1, 1, 1, 2, 2, 2, 2])
    >>> fourth = annotators(votes, gold_annotator=[4, 4, 1], gold_right=[0, 1, 1]).by_id()[4]
    >>> fourth.agreement.value, fourth.gold.hits, fourth.gold.total, fourth.left.state.value
    (0.0, 1, 2, 'no_answers')
    """
    check_level(level)
    left, times = _sides(chosen_left, votes), _column("response_ms", response_ms, votes)
    gold_who, gold_hit = _gold(gold_annotator, gold_right)
    people = np.union1d(votes.annotator, gold_who)
    code, gold_code = np.searchsorted(people, votes.annotator), np.searchsorted(people, gold_who)
    majority, known = majority_of_others(votes.item, votes.outcome)
    decided = votes.outcome != Outcome.TIE
    everything = np.ones(len(votes), dtype=np.bool_)
    shares = _Shares(len(people), level)
    model = dawid_skene(votes)
    scores, state, reason = _outlier_scores(votes, code, len(people))
    profiles = _profiles(
        people,
        np.bincount(code, minlength=len(people)),
        gold=shares.of(gold_code, gold_hit == 1.0, np.ones(len(gold_who), dtype=np.bool_)),
        agreeing=shares.of(code, votes.outcome == majority, known),
        ties=shares.of(code, ~decided, everything),
        lefts=_lefts(shares, code, left, decided),
        medians=_medians(votes, times),
        model=model,
        scores=scores,
    )
    return Annotators(
        profiles=profiles, model=model, outlier_state=state, outlier_reason=reason, level=level
    )


def _lefts(
    shares: _Shares, code: IntColumn, left: FloatArray | None, decided: BoolColumn
) -> list[Proportion]:
    """Return each person's share of left answers; of no answers where sides are unknown."""
    if left is None:
        nothing = np.zeros(len(code), dtype=np.bool_)
        return shares.of(code, ~nothing, nothing)
    return shares.of(code, left == 1.0, decided)


def _medians(votes: Votes, times: FloatArray | None) -> dict[int, float]:
    """Return each person's median time in milliseconds, of those of whom it is known."""
    if times is None:
        return {}
    return dict(zip(*medians_by(votes.annotator, times), strict=True))


def _profiles(
    people: IntColumn,
    n_votes: IntColumn,
    *,
    gold: list[Proportion],
    agreeing: list[Proportion],
    ties: list[Proportion],
    lefts: list[Proportion],
    medians: Mapping[int, float],
    model: DawidSkene,
    scores: FloatArray,
) -> tuple[AnnotatorProfile, ...]:
    """One profile a person, of columns with one entry a person."""
    row = {int(who): index for index, who in enumerate(model.annotator)}
    return tuple(
        AnnotatorProfile(
            annotator=int(who),
            n_votes=int(n_votes[index]),
            gold=gold[index],
            agreement=agreeing[index],
            ties=ties[index],
            left=lefts[index],
            side_p_value=_side_p_value(lefts[index]),
            median_ms=float(medians[who]) if who in medians else None,
            accuracy=float(model.accuracy[row[int(who)]]) if int(who) in row else None,
            confusion=_rows(model.confusion[row[int(who)]]) if int(who) in row else None,
            outlier_z=None if np.isnan(scores[index]) else float(scores[index]),
        )
        for index, who in enumerate(people)
    )


def proportion(hits: int, total: int, level: float = 0.95) -> Proportion:
    """Hits out of independent answers, with Wilson's interval; NO_ANSWERS where the total is 0.

    Reference. Wilson (1927), JASA 22:209-212.

    >>> seven = proportion(7, 8)
    >>> seven.value, round(seven.low, 3), round(seven.high, 3)
    (0.875, 0.529, 0.978)
    """
    check_level(level)
    if not 0 <= hits <= total:
        raise ColumnTypeError(f"{hits} hits of {total} is no share; give 0 <= hits <= total.")
    value, low, high, state, reason = None, None, None, State.NO_ANSWERS, "There is no answer."
    if total:
        value, state, reason = hits / total, State.DEFINED, ""
        low, high = wilson(value, total, float(special.ndtri(0.5 + level / 2.0)))
    return Proportion(
        hits=hits, total=total, value=value, low=low, high=high, level=level, state=state,
        reason=reason,
    )  # fmt: skip


@dataclass(frozen=True)
class _Shares:
    n_people: int
    level: float

    def of(self, code: IntColumn, hit: BoolColumn, counted: BoolColumn) -> list[Proportion]:
        """The share of each person's counted rows that hit."""
        hits = np.bincount(code[counted & hit], minlength=self.n_people)
        totals = np.bincount(code[counted], minlength=self.n_people)
        return [proportion(int(h), int(n), self.level) for h, n in zip(hits, totals, strict=True)]


def _outlier_scores(votes: Votes, code: IntColumn, n_people: int) -> tuple[FloatArray, State, str]:
    """z of each person, NaN for those nobody voted beside; see `annotators`."""
    none = np.full(n_people, np.nan)
    others = votes_of_others(votes.item, votes.outcome, np.ones(len(votes), dtype=np.bool_))
    beside = row_sums(others) > 0
    spread = np.bincount(votes.outcome, minlength=N_OUTCOMES) / len(votes)
    share = (others[beside] + spread) / (row_sums(others[beside])[:, None] + 1.0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0.0)
    mean = row_sums(share * logs)
    variance = row_sums(share * logs**2) - mean**2
    said = logs[np.arange(len(logs)), votes.outcome[beside]]
    who = code[beside]
    surprise = np.bincount(who, said - mean, n_people)
    noise = np.bincount(who, variance, n_people)
    judged = noise > 1e-12
    if judged.sum() < _FEWEST_TO_COMPARE:
        n_judged = int(judged.sum())
        reason = (
            f"{n_judged} {'annotator' if n_judged == 1 else 'annotators'} voted beside "
            "others on items that divide people; "
            f"{_FEWEST_TO_COMPARE} are needed to tell what is usual."
        )
        return none, State.FEW_ANNOTATORS, reason
    standard = surprise[judged] / np.sqrt(noise[judged])
    deviation = standard - np.median(standard)
    scale = 1.4826 * float(np.median(np.abs(deviation)))
    if scale < 1e-12:
        return none, State.NO_VARIATION, "Most annotators differ from the others equally much."
    none[judged] = deviation / scale
    return none, State.DEFINED, ""


def _side_p_value(left: Proportion) -> float | None:
    if not left.total:
        return None
    fewer = min(left.hits, left.total - left.hits)
    return min(1.0, 2.0 * float(special.bdtr(fewer, left.total, 0.5)))


def _rows(confusion: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(cell) for cell in row) for row in confusion)


def _column(name: str, column: npt.ArrayLike | None, votes: Votes) -> FloatArray | None:
    if column is None:
        return None
    refuse_mask(name, column)
    array = np.asarray(column, dtype=np.float64)
    if array.ndim != 1:
        raise ColumnTypeError(f"{name} has {array.ndim} dimensions. Give one entry per vote.")
    if len(array) != len(votes):
        raise LengthMismatchError({"votes": len(votes), name: len(array)})
    return array


def _sides(chosen_left: npt.ArrayLike | None, votes: Votes) -> FloatArray | None:
    left = _column("chosen_left", chosen_left, votes)
    if left is None:
        return None
    wrong = np.flatnonzero((votes.outcome != Outcome.TIE) & (left != 0.0) & (left != 1.0))
    if len(wrong):
        raise RowsError(
            f"chosen_left is {left[wrong[0]]:g} for a vote that is no tie",
            wrong,
            "Give 1 for left and 0 for right.",
        )
    return left


def _gold(who: npt.ArrayLike | None, right: npt.ArrayLike | None) -> tuple[IntColumn, FloatArray]:
    given = np.asarray([] if who is None else who)
    if given.size and given.dtype.kind not in "iu":
        raise ColumnTypeError(f"gold_annotator holds {given.dtype}; give the ids of `votes`.")
    ids = given.astype(np.int64)
    hits = np.asarray([] if right is None else right, dtype=np.float64)
    if len(ids) != len(hits):
        raise LengthMismatchError({"gold_annotator": len(ids), "gold_right": len(hits)})
    if not np.isin(hits, (0.0, 1.0)).all():
        raise ColumnTypeError("gold_right must hold 1 (right) and 0 (wrong) only.")
    return ids, hits
