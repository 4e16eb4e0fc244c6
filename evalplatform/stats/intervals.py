"""Intervals from an estimate, its variance and its degrees of freedom."""

from __future__ import annotations

from math import sqrt

from scipy import special

from .errors import UnknownOptionError


def check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise UnknownOptionError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")


def t_quantile(level: float, df: float) -> float:
    """Two-sided t quantile: P(|T| <= q) = level.

    >>> round(t_quantile(0.95, 10), 3)
    2.228
    """
    return float(special.stdtrit(df, 0.5 + level / 2.0))


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


def clipped_t(value: float, se: float, quantile: float) -> tuple[float, float]:
    """value -+ quantile * se, cut to [-1, 1], the range of a difference of two shares.

    >>> clipped_t(0.75, 0.25, 2.0)
    (0.25, 1.0)
    """
    return max(-1.0, value - quantile * se), min(1.0, value + quantile * se)
