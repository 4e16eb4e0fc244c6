"""Covariance of fitted strengths whose votes share prompts and annotators.

Every vote has a score, the derivative of its log likelihood. With S_g the sum of scores in
cluster g and A the inverse information, one clustering with G clusters gives

    V = G / (G - 1) * A (sum_g S_g S_g') A

and two crossed ones V = Vp + Va - Vpa, as in `clustering`. A vote's score has three entries
other than zero (its two checkpoints and log nu), so the sums are made by counting, a block of
votes at a time that fits the processor's cache.

References: Cameron, Gelbach and Miller (2011), JBES 29:238-249; Liang and Zeger (1986),
Biometrika 73:13-22.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chunking import BLOCK, Codes, blocks, chunks, count_codes, without_gaps
from .clustering import FloatArray
from .davidson import Fit, chances, regular
from .gallery import GalleryVotes
from .votes import IntColumn


@dataclass(frozen=True, eq=False)
class ClusteredCovariance:
    """Covariances of (theta, log nu), q x q, and the clusters behind them.

    Attributes:
        two_way: Vp + Va - Vpa; it may have negative eigenvalues in small samples.
        prompt, annotator: the one-way covariances, floors of every variance.
        model: the inverse information, right if votes were independent and the model true.
        n_prompts, n_annotators: clusters with votes.
    """

    two_way: FloatArray
    prompt: FloatArray
    annotator: FloatArray
    model: FloatArray
    n_prompts: int
    n_annotators: int

    def floored(self, contrasts: FloatArray) -> FloatArray:
        """Variance of each row of `contrasts` (n, q): max(two-way, prompt, annotator)."""
        return _largest([((contrasts @ v) * contrasts).sum(axis=1) for v in self._terms])

    def differences(self, n_checkpoints: int) -> FloatArray:
        """Variance of theta_i - theta_j for all pairs (M, M), floored in the same way."""
        m = n_checkpoints
        return _largest([difference_variances(v[:m, :m]) for v in self._terms])

    @property
    def _terms(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.two_way, self.prompt, self.annotator


def clustered_covariance(votes: GalleryVotes, fitted: Fit) -> ClusteredCovariance:
    """The two-way clustered covariance of a fit to these votes, in time linear in their number.

    Needs two prompts and two annotators with votes.
    """
    scores = _Scores.of(votes, fitted)
    m = votes.n_checkpoints
    inverse: FloatArray = np.asarray(np.linalg.inv(regular(fitted.information, m)), np.float64)
    inverse[:m, :m] -= inverse[:m, :m].mean()  # the part along theta + constant, added by regular
    terms = {}
    counts = {}
    for name, major, minor in (
        ("prompt", votes.prompt, None),
        ("annotator", votes.annotator, None),
        ("pair", votes.prompt, votes.annotator),
    ):
        products, count = _products(votes, scores, major, minor)
        terms[name] = count / (count - 1.0) * inverse @ products @ inverse
        counts[name] = count
    return ClusteredCovariance(
        two_way=terms["prompt"] + terms["annotator"] - terms["pair"],
        prompt=terms["prompt"],
        annotator=terms["annotator"],
        model=inverse,
        n_prompts=counts["prompt"],
        n_annotators=counts["annotator"],
    )


def difference_variances(covariance: FloatArray) -> FloatArray:
    """Variance of x_i - x_j for all i and j.

    >>> difference_variances(np.array([[2.0, 0.5], [0.5, 1.0]])).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    variance = np.diag(covariance)
    table: FloatArray = variance[:, None] + variance[None, :] - 2.0 * covariance
    return table


@dataclass(frozen=True, eq=False)
class _Scores:
    """Derivatives of a vote's log likelihood by its cell, see `GalleryVotes.cells`."""

    theta: FloatArray  # of model_a's strength; model_b's is its negative
    log_nu: FloatArray | None
    size: int

    @classmethod
    def of(cls, votes: GalleryVotes, fitted: Fit) -> _Scores:
        theta = fitted.strengths
        win, tie, lose = chances(theta[:, None] - theta[None, :], fitted.log_nu)
        net = np.array([1.0, 0.0, -1.0])
        by_theta = (net - (win - lose)[..., None]) / 2.0
        by_log_nu = None
        if fitted.log_nu is not None:
            by_log_nu = (np.array([0.0, 1.0, 0.0]) - tie[..., None]).ravel()
        size = votes.n_checkpoints + (fitted.log_nu is not None)
        return cls(by_theta.ravel(), by_log_nu, size)

    def sums(
        self, votes: GalleryVotes, rows: slice | IntColumn, cluster: IntColumn, n: int
    ) -> FloatArray:
        """The sum of scores in each of n clusters: (n, size)."""
        cells = votes.cells(rows)
        start = cluster * self.size
        by_theta = self.theta[cells]
        sums = np.bincount(start + votes.model_a[rows], by_theta, n * self.size).astype(
            np.float64, copy=False
        )
        sums -= np.bincount(start + votes.model_b[rows], by_theta, n * self.size)
        table: FloatArray = sums.reshape(n, self.size)
        if self.log_nu is not None:
            table[:, -1] = np.bincount(cluster, self.log_nu[cells], n)
        return table


def _products(
    votes: GalleryVotes, scores: _Scores, major: Codes, minor: Codes | None
) -> tuple[FloatArray, int]:
    """sum_g S_g S_g' over the clusters of one column, or of two crossed; and their number."""
    n_major = int(major.max()) + 1
    if minor is None and n_major * scores.size <= len(votes):
        return _products_of_few(votes, scores, major, n_major)
    products, count = np.zeros((scores.size, scores.size)), 0
    n_minor = 1 if minor is None else int(minor.max()) + 1
    for rows in blocks(major):
        code = major[rows].astype(np.int64)
        code -= int(code[0])
        if minor is not None:
            code *= n_minor
            code += minor[rows]
        cluster, n = without_gaps(code)
        sums = scores.sums(votes, rows, cluster, n)
        products += sums.T @ sums
        count += n
    return products, count


def _products_of_few(
    votes: GalleryVotes, scores: _Scores, cluster: Codes, n: int
) -> tuple[FloatArray, int]:
    """The same for clusters whose sums fit beside the votes: no sorting is needed."""
    sums = np.zeros((n, scores.size))
    for rows in chunks(len(votes), max(BLOCK, n * scores.size)):
        sums += scores.sums(votes, rows, cluster[rows].astype(np.int64), n)
    return sums.T @ sums, int(np.count_nonzero(count_codes(cluster, n)))


def _largest(terms: list[FloatArray]) -> FloatArray:
    """Their elementwise maximum, and 0 where rounding leaves less."""
    return np.maximum(np.maximum.reduce(terms), 0.0)
