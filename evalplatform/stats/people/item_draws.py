"""Coefficients of agreement with intervals: whole items are drawn again, with replacement."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import chunks
from ..votes.columns import group
from ..votes.errors import UnknownOptionError
from .chance_correction import Coefficient

BOOTSTRAP_SEED = 20_230_927
"""The seed drawn from where a caller gives no generator: same votes, same interval."""

_HELD = 1 << 22  # weights of items held at once
_DRAWN = 1 << 23  # numbers drawn in all
_FEWEST = 200  # replicates, however many items there are
_MAX_UNDEFINED = 0.05  # share of replicates without two categories beyond which no interval holds


@dataclass(frozen=True, kw_only=True)
class AgreementEstimate:
    """One coefficient of agreement with its bootstrap interval.

    Attributes:
        value: the coefficient, see `chance_correction`; None if undefined.
        low, high: percentile interval at the level of the `Agreement`; None without one.
        n_replicates: bootstrap replicates in which the coefficient is defined.
        state, reason: why the coefficient has no value.
        interval_state, interval_reason: why the interval has no values.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_replicates: int = 0
    state: State = State.DEFINED
    reason: str = ""
    interval_state: State
    interval_reason: str


def check_replicates(replicates: int) -> None:
    if not isinstance(replicates, Integral) or replicates < 1:
        raise UnknownOptionError(f"replicates is {replicates!r}; give a whole number, e.g. 1000.")


@dataclass(frozen=True)
class Draws:
    """The distinct items, how many there are of each, and how often each is drawn.

    An item may have several units (the images of a ranking, or pairs of them), which are drawn
    together; `classes` has the rows of one item after another.
    """

    classes: FloatArray  # (classes * units, categories)
    members: FloatArray
    drawn: npt.NDArray[np.int32]  # replicates x classes

    @classmethod
    def of(
        cls, counts: FloatArray, rng: np.random.Generator, replicates: int, units: int = 1
    ) -> Draws:
        """Draws of the items of `counts` (items * units, categories).

        Of very many different items fewer replicates are made: their intervals are narrow.
        """
        if not len(counts):
            return cls(counts, np.zeros(0), np.zeros((replicates, 0), np.int32))
        by_item = counts.reshape(len(counts) // units, -1)
        classes, members = _classes(by_item)
        made = min(replicates, max(_FEWEST, _DRAWN // len(members)))
        drawn = rng.multinomial(len(by_item), members / len(by_item), size=made)
        return cls(classes.reshape(-1, counts.shape[1]), members, drawn.astype(np.int32))

    def value(self, coefficient: Coefficient) -> FloatArray:
        """Of all items; empty where undefined."""
        return coefficient.of_many(self.members[None, :], self.classes)

    def replicates(self, coefficient: Coefficient) -> FloatArray:
        """Of each draw that has one, a part of the draws at a time."""
        parts = chunks(len(self.drawn), max(1, _HELD // len(self.members)))
        return np.concatenate(
            [
                coefficient.of_many(self.drawn[rows].astype(np.float64), self.classes)
                for rows in parts
            ]
        )


def estimate(coefficient: Coefficient, draws: Draws, level: float) -> AgreementEstimate:
    if not len(draws.classes):
        return undefined(State.NO_SHARED_ITEMS, "No item has two votes, so no two votes can agree.")
    values = draws.value(coefficient)
    if not len(values):
        return undefined(
            State.ONE_CATEGORY,
            "All votes are one outcome, so agreement cannot be told from chance.",
        )
    replicates = draws.replicates(coefficient)
    state, reason = _why_no_interval(replicates, draws)
    low, high = None, None
    if state is State.DEFINED:
        bounds = np.quantile(replicates, [0.5 - level / 2.0, 0.5 + level / 2.0])
        low, high = float(bounds[0]), float(bounds[1])
    return AgreementEstimate(
        value=float(values[0]),
        low=low,
        high=high,
        n_replicates=len(replicates),
        interval_state=state,
        interval_reason=reason,
    )


def undefined(state: State, reason: str) -> AgreementEstimate:
    return AgreementEstimate(
        state=state, reason=reason, interval_state=state, interval_reason=reason
    )


def _why_no_interval(replicates: FloatArray, draws: Draws) -> tuple[State, str]:
    if draws.members.sum() < 2:
        return State.ONE_ITEM, "Only one item has two votes: nothing tells of other items."
    if not len(replicates) or np.ptp(replicates) < 1e-12:
        reason = "Every draw of the items shows the same agreement, so there is no spread to read."
        return State.NO_VARIATION, reason
    if len(replicates) < (1.0 - _MAX_UNDEFINED) * len(draws.drawn):
        reason = f"Only {len(replicates)} of {len(draws.drawn)} replicates hold two outcomes."
        return State.UNSTABLE, reason
    return State.DEFINED, ""


def _classes(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distinct rows of `counts` and how many items have each, in linear time."""
    if not np.array_equal(counts, np.round(counts)) or counts.min() < 0.0:
        return counts, np.ones(len(counts))
    columns = [group(column.astype(np.int64)) for column in counts.T]
    rows = columns[0]
    for column in columns[1:]:
        rows = group(rows.codes * column.count + column.codes)
    classes = np.empty((rows.count, counts.shape[1]))
    classes[rows.codes] = counts
    return classes, np.bincount(rows.codes).astype(np.float64)
