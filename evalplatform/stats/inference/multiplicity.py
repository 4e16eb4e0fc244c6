"""Many claims at once: adjusted p-values, and one critical value for all of them.

Of twenty true null hypotheses one is rejected at 5 % by chance. An adjusted p-value is compared
with the level the reader chose, as if it were the only one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from ..votes.errors import ColumnTypeError, UnknownOptionError
from .clustering import FloatArray

_SMALLEST_EIGENVALUE = 1e-10  # of the largest; below it a direction is rounding error


def holm(p: npt.ArrayLike) -> FloatArray:
    """Holm's adjusted p-values: control of the chance of any false claim. The default here.

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
    return _in_given_order(np.maximum.accumulate(values[order] * factors), order)


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Benjamini and Hochberg's adjusted p-values: control of the share of false claims.

    Formula. Adjusted p(i) = min over k >= i of min(1, m p(k) / k). It holds for independent tests
    and for positively dependent ones, such as categories judged by the same people.

    Units. As for `holm`.

    How to read. For screening: of all claims with an adjusted p-value of at most 0.05, 5 % are
    expected to be false. For claims that are published one by one, take `holm`.

    Reference. Benjamini and Hochberg (1995), JRSS B 57:289-300.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    values = _p_values(p)
    order = np.argsort(values, kind="stable")[::-1]
    count = len(values)
    factors = count / np.arange(count, 0, -1)
    return _in_given_order(np.minimum.accumulate(values[order] * factors), order)


def max_t(
    estimates: npt.ArrayLike,
    covariance: npt.ArrayLike,
    df: float,
    rng: np.random.Generator,
    *,
    draws: int = 20_000,
) -> FloatArray:
    """Adjusted p-values of estimates whose joint covariance is known: sharper than `holm`.

    Formula. t_i = estimate_i / se_i. With Z drawn from a multivariate t with the correlation of
    the estimates and `df` degrees of freedom: adjusted p_i = P(max_k |Z_k| >= |t_i|), over `draws`
    draws, the observed one counted as a draw. Strongly correlated tests cost little more than one.

    Units. m estimates, an m x m covariance with positive diagonal; df > 0 (infinity: normal).

    How to read. As for `holm`: the chance of any false claim is held.

    Reference. Westfall and Young (1993), Resampling-Based Multiple Testing; Hothorn, Bretz and
    Westfall (2008), Biometrical Journal 50:346-363.

    >>> rng = np.random.default_rng(1)
    >>> max_t([2.5, 0.1], [[1.0, 0.99], [0.99, 1.0]], np.inf, rng).round(2).tolist()
    [0.02, 0.96]
    """
    values, matrix = np.asarray(estimates, dtype=np.float64), np.asarray(covariance, np.float64)
    if values.ndim != 1 or matrix.shape != (len(values), len(values)):
        raise ColumnTypeError(
            f"estimates have shape {values.shape} and covariance {matrix.shape}. "
            "Give m estimates and an m x m covariance."
        )
    se = np.sqrt(np.diag(matrix))
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(values)) and np.all(se > 0.0)):
        raise ColumnTypeError("Estimates must be finite, each with a finite variance above 0.")
    largest = np.sort(np.abs(joint_draws(matrix, df, rng, draws) / se).max(axis=1))
    reached = draws - np.searchsorted(largest, np.abs(values / se), side="left")
    return np.asarray((reached + 1.0) / (draws + 1.0), dtype=np.float64)


def joint_draws(
    covariance: FloatArray, df: float, rng: np.random.Generator, draws: int
) -> FloatArray:
    """Draws (draws x m) from a multivariate t of mean 0 with this scale matrix.

    Negative eigenvalues, which a two-way clustered covariance may have, are taken as 0.
    """
    if draws < 100:
        raise UnknownOptionError(f"draws is {draws}; give at least 100.")
    if not df > 0.0:
        raise UnknownOptionError(f"df is {df}; it must be above 0.")
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _SMALLEST_EIGENVALUE * max(values[-1], 0.0)
    root = vectors[:, kept] * np.sqrt(values[kept])
    normal: FloatArray = rng.standard_normal((draws, root.shape[1])) @ root.T
    if np.isfinite(df):
        normal *= np.sqrt(df / (2.0 * special.gammaincinv(df / 2.0, rng.random(draws))))[:, None]
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


def _in_given_order(adjusted: FloatArray, order: npt.NDArray[np.intp]) -> FloatArray:
    result = np.empty_like(adjusted)
    result[order] = np.minimum(adjusted, 1.0)
    return result
