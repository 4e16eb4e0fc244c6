"""The result of ranking a gallery: strengths, differences, and why there may be none."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..inference.intervals import t_p_value, t_quantile
from ..votes.errors import UnknownOptionError
from ..votes.pairs import Labels
from .davidson import Ties


@dataclass(frozen=True, kw_only=True)
class Strength:
    """One arm's place in a gallery.

    Attributes:
        arm: its id.
        rank: 1 for the strongest; equal strengths share the better rank. A description: see
            `rank_sets` for what the votes can tell.
        value: strength, natural log scale, relative to the gallery's mean.
        se, low, high, df: standard error, interval at the ranking's level and its degrees of
            freedom, by who judged this arm; None where the ranking has no intervals, see
            `Ranking.interval_state`.
    """

    arm: Hashable
    rank: int
    value: float
    se: float | None
    low: float | None
    high: float | None
    df: float | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much stronger one arm is than another: log odds among decided votes.

    `p_value` is the two-sided t test of 0, not adjusted for the number of pairs. se, low, high, df
    and p_value are None where the ranking has no intervals.
    """

    arm: Hashable
    other: Hashable
    value: float
    se: float | None
    low: float | None
    high: float | None
    df: float | None
    p_value: float | None


@dataclass(frozen=True, kw_only=True)
class TieWeight:
    """nu of Davidson's model: between equals, ties stand to wins of either as nu to 1."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """Strengths of all arms of a gallery, see `rank`.

    Attributes:
        arms: ids, in the order of `values`, `covariance` and `difference_se`.
        strengths: one per arm, strongest first; empty where undefined.
        nu: the weight of ties; None for ties="half" and where undefined. Exactly 0 without
            interval where no vote is a tie.
        values: strengths (M,), or None.
        covariance: (M, M), two-way clustered, negative eigenvalues set to 0; None without
            intervals. For simulation and joint tests.
        difference_se: (M, M), standard errors of all differences, each at least that of either
            one-way clustering; None without intervals.
        difference_df: (M, M), degrees of freedom of all differences; None without intervals.
        level: of the intervals. df: degrees of freedom of all votes together, whole or not, and
            the most that a strength or difference has; None without intervals.
        ties: "davidson" or "half".
        method: how all this was made, in words fit for a table's footnote.
        state, reason: DEFINED, or why there are no strengths.
        interval_state, interval_reason: DEFINED, or why there are no intervals.
    """

    arms: Labels
    strengths: tuple[Strength, ...] = ()
    nu: TieWeight | None = None
    values: FloatArray | None = None
    covariance: FloatArray | None = None
    difference_se: FloatArray | None = None
    difference_df: FloatArray | None = None
    level: float
    df: float | None = None
    ties: Ties
    method: str = "none"
    state: State = State.DEFINED
    reason: str = ""
    interval_state: State
    interval_reason: str

    def difference(self, arm: Hashable, other: Hashable) -> Difference | None:
        """arm - other, with its interval; None where the ranking is undefined."""
        i, j = self._position(arm), self._position(other)
        if self.values is None:
            return None
        value = float(self.values[i] - self.values[j])
        se = low = high = df = p_value = None
        if i != j and self.difference_se is not None and self.difference_df is not None:
            se, df = float(self.difference_se[i, j]), float(self.difference_df[i, j])
            low, high = t_interval(value, se, t_quantile(self.level, df))
            p_value = t_p_value(value / se, df)
        return Difference(
            arm=arm,
            other=other,
            value=value,
            se=se,
            low=low,
            high=high,
            df=df,
            p_value=p_value,
        )

    def _position(self, arm: Hashable) -> int:
        if arm not in self.arms:
            raise UnknownOptionError(f"arm is {arm!r}; ranked are {list(self.arms)}.")
        return self.arms.index(arm)


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How far the arm with the best estimate is ahead of another one.

    Attributes:
        arm, other: ids. value: in the unit of the ranking, 0 or more.
        se: its standard error. low, high: bounds that hold for all pairs of arms at once at the
            result's level: above 0 exactly where `arm` is told apart from `other`.
    """

    arm: Hashable
    other: Hashable
    value: float
    se: float
    low: float
    high: float

    @property
    def is_told_apart(self) -> bool:
        return self.low > 0.0


def t_interval(value: float, se: float, quantile: float) -> tuple[float, float]:
    return value - quantile * se, value + quantile * se
