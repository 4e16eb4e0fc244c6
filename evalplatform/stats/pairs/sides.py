"""Side bias: do annotators choose the left image more than half the time?

Sides are presentation and the plan balances them, so a bias towards one side costs precision and
hints at careless clicking; it does not by itself favour A or B.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray, Ratio, outcome_table
from ..inference.effective_votes import Clustering, Differing, nested
from ..inference.estimates import Basis, Estimate, State, estimate_of, without_interval
from ..inference.intervals import check_level, t_p_value
from ..votes.columns import BoolColumn, Outcome, factorise, group
from ..votes.errors import ColumnTypeError, LengthMismatchError

_LEFT = Ratio((1.0, 0.0, 0.0))


@dataclass(frozen=True)
class SideBias:
    """Share of left choices against one half, see `side_bias`.

    Attributes:
        left: share of decided votes that chose the left image.
        t, p_value: two-sided test of left = 1/2, the one whose interval `left` shows.
    """

    left: Estimate
    t: float | None
    p_value: float | None

    @property
    def state(self) -> State:
        return self.left.state

    @property
    def reason(self) -> str:
        return self.left.reason


def side_bias(
    chosen_left: npt.ArrayLike, annotator: Iterable[Hashable], level: float = 0.95
) -> SideBias:
    """Estimate the share of decided votes that chose left, clustered by annotator.

    `chosen_left` has True or 1 where a decided vote chose the left image, False or 0 where it
    chose the right one; leave ties out. `annotator` holds any ids, one per entry.

    Formula. p = left choices / decided votes, V clustered by annotator (see `clustering`),
    Wilson's interval with n_effective = p (1 - p) / V (see `effective_votes`) and t with the
    degrees of freedom of `degrees.one_way_df`, J - 1 for J annotators with as many votes each. The
    test is the one this interval inverts: t = (p - 1/2) / sqrt(1/4 / n_effective).

    How to read. An interval that holds 1/2 shows no side bias of the pool as a whole; people who
    lean to opposite sides can still cancel out.

    Reference. Wilson (1927), JASA 22:209-212; clustering by annotator as in `clustering`.

    >>> bias = side_bias([1, 1, 0, 1, 0, 0, 1, 1], ["ana"] * 4 + ["ben"] * 4)
    >>> bias.left.value, bias.left.df
    (0.625, 1.0)
    """
    check_level(level)
    chosen = _booleans(chosen_left)
    codes, labels = factorise(annotator)
    if len(codes) != len(chosen):
        raise LengthMismatchError({"chosen_left": len(chosen), "annotator": len(codes)})
    basis = Basis(
        n_votes=len(chosen),
        n_prompts=None,
        n_annotators=len(labels),
        estimand="votes",
        level=level,
    )
    if len(labels) < 2:
        value = float(chosen.mean()) if len(chosen) else None
        state, reason = _why_without(len(labels))
        return SideBias(without_interval(value, state, reason, basis), None, None)
    left = _estimate(outcome_table(group(codes), _as_outcomes(chosen)), basis)
    assert left.value is not None
    assert left.n_effective is not None
    assert left.df is not None
    t = (left.value - 0.5) / sqrt(0.25 / left.n_effective)
    return SideBias(left, t, t_p_value(t, left.df))


def _estimate(by_annotator: FloatArray, basis: Basis) -> Estimate:
    total = by_annotator.sum(axis=0)
    worth = nested(Differing.of(_LEFT, total, basis.n_votes), Clustering.of(_LEFT, by_annotator))
    return estimate_of(
        _LEFT,
        total,
        worth,
        degrees="of unequal clusters",
        clustering="clustered by annotator",
        basis=basis,
    )


def _why_without(n_annotators: int) -> tuple[State, str]:
    if n_annotators == 0:
        return State.NO_DECIDED_VOTES, "There is no decided vote, so no side was chosen."
    return State.ONE_ANNOTATOR, "All decided votes are by one annotator: nothing tells of others."


def _as_outcomes(chosen_left: BoolColumn) -> npt.NDArray[np.int64]:
    """Left as A and right as B: the tables know three outcomes, and none here is a tie."""
    return np.where(chosen_left, Outcome.A, Outcome.B).astype(np.int64)


def _booleans(column: npt.ArrayLike) -> BoolColumn:
    array: npt.NDArray[Any] = np.asarray(column)
    if array.ndim != 1:
        raise ColumnTypeError(f"chosen_left has {array.ndim} dimensions; give one per vote.")
    if array.size and (array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all()):
        raise ColumnTypeError("chosen_left must hold True or 1 (left), False or 0 (right) only.")
    return array.astype(np.bool_)
