"""Many claims at once: adjusted p-values, and joint draws of what they are about.

Of twenty true null hypotheses one is rejected at 5 % by chance. An adjusted p-value is compared
with the level the reader chose, as if it were the only one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from ..votes.errors import ColumnTypeError
from .clustering import FloatArray

_SMALLEST_EIGENVALUE = 1e-10  # of the largest; below it a direction is rounding error


def holm(p: npt.ArrayLike) -> FloatArray:
    """Holm's adjusted p-values: control of the chance of any false claim.

    Formula. With p(1) <= ... <= p(m): adjusted p(i) = max over k <= i of min(1, (m - k + 1) p(k)).
    It holds under any dependence of the tests.

    Units. One p-value in [0, 1] per claim in, one out, in the same order. `ColumnTypeError` for
    anything else: leave undefined tests out, they are no claims.

    How to read. Claim all with an adjusted p-value of at most 0.05: the chance that any of these
    claims is false is at most 5 %.

    Reference. Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Benjamini and Hochberg's adjusted p-values: control of the share of false ones among claims.

    Formula. With p(1) <= ... <= p(m): adjusted p(i) = min over k >= i of min(1, m p(k) / k).

    Units. As `holm`.

    How to read. Of all with an adjusted p-value of at most 0.05, no more than one in twenty is
    expected to be false: for screening, not for claims.

    Reference. Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289-300.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def joint_draws(
    covariance: FloatArray, df: float | FloatArray, rng: np.random.Generator, draws: int
) -> FloatArray:
    """Draws (draws x m) from a multivariate t of mean 0 with this scale matrix.

    `df` is one for all, or (m,) of each. All scales of a draw then lie at the same quantile of
    their distributions: with one and the same df this is the multivariate t.
    Negative eigenvalues, which a two-way clustered covariance may have, are taken as 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _SMALLEST_EIGENVALUE * max(values[-1], 0.0)
    root = vectors[:, kept] * np.sqrt(values[kept])
    normal: FloatArray = rng.standard_normal((draws, root.shape[1])) @ root.T
    if np.isinf(df).all():
        return normal
    chance, of_each = rng.random(draws), np.broadcast_to(df, len(covariance))
    for one in np.unique(of_each[np.isfinite(of_each)]):
        scale = np.sqrt(one / (2.0 * special.gammaincinv(one / 2.0, chance)))
        normal[:, of_each == one] *= scale[:, None]
    return normal


def _p_values(p: npt.ArrayLike) -> FloatArray:
    values = np.asarray(p)
    if values.size == 0 and values.ndim == 1:
        return np.empty(0)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ColumnTypeError("p must be a one-dimensional column of numbers, one per claim.")
    wrong = np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))
    if len(wrong):
        raise ColumnTypeError(
            f"p[{wrong[0]}] is {values[wrong[0]]}; a p-value lies in [0, 1]. "
            "Leave tests without a p-value out."
        )
    return values.astype(np.float64)
