"""Intervals from an estimate, its variance and its degrees of freedom."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy import special

from ..votes.errors import UnknownOptionError
from .clustering import FloatArray


def check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise UnknownOptionError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")


def t_quantile(level: float, df: float) -> float:
    """Two-sided t quantile: P(|T| <= q) = level.

    >>> round(t_quantile(0.95, 10), 3)
    2.228
    """
    return float(special.stdtrit(df, 0.5 + level / 2.0))


def t_quantiles(level: float, df: FloatArray) -> FloatArray:
    """The same for each of these degrees of freedom, in an array of their shape."""
    return np.asarray(special.stdtrit(df, 0.5 + level / 2.0), dtype=np.float64)


def t_p_value(t: float, df: float) -> float:
    """Two-sided p-value of a t statistic.

    >>> round(t_p_value(2.228, 10), 3)
    0.05
    """
    return float(2.0 * special.stdtr(df, -abs(t)))


def wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval for a share seen in n independent votes; n need not be whole.

    All q with |share - q| <= quantile * sqrt(q (1 - q) / n), so it never leaves [0, 1] and has
    width at share 0 and 1. Reference: Wilson (1927), JASA 22:209-212.

    >>> [round(bound, 3) for bound in wilson(0.5, 100, 1.96)]
    [0.404, 0.596]
    """
    shrink = quantile**2 / n
    centre = (share + shrink / 2.0) / (1.0 + shrink)
    half = sqrt(shrink * share * (1.0 - share) + shrink**2 / 4.0) / (1.0 + shrink)
    low = 0.0 if share == 0.0 else max(0.0, centre - half)
    high = 1.0 if share == 1.0 else min(1.0, centre + half)
    return low, high


def null_error(decided: float, n: float, quantile: float) -> float:
    """Standard error of a net of n independent votes whose true net is 0: sqrt(decided / n).

    `decided` is the share of votes that are no ties, in [0, 1]. Where hardly any is decided, the
    middle of Wilson's interval for none, q^2 / 2 / (n + q^2), stands for it, so that a study of
    ties alone is not certain of its net either.
    """
    return sqrt(_decided(decided, n, quantile) / n)


def net_interval(net: float, decided: float, n: float, quantile: float) -> tuple[float, float]:
    """Score interval for win - lose seen in n independent votes; n need not be whole.

    All d with |net - d| <= quantile * sqrt((decided - d^2) / n), the variance of a vote whose true
    net is d; `decided` as in `null_error`. Without ties it is Wilson's interval of (1 + net) / 2,
    on the scale of net. It never leaves [-1, 1], has width at -1 and 1, and leaves out 0 exactly
    where |net| > quantile * `null_error`.

    >>> low, high = net_interval(0.0, 1.0, 100, 1.96)
    >>> [round(1 / 2 + bound / 2, 3) for bound in (low, high)]
    [0.404, 0.596]
    """
    c = quantile**2 / n
    largest = _decided(decided, n, quantile)
    reach = sqrt(max(c * (largest * (1.0 + c) - net**2), 0.0))
    low, high = (net - reach) / (1.0 + c), (net + reach) / (1.0 + c)
    return (-1.0 if net == -1.0 else low), (1.0 if net == 1.0 else high)


def _decided(decided: float, n: float, quantile: float) -> float:
    c = quantile**2 / n
    return max(decided, c / 2.0 / (1.0 + c))
