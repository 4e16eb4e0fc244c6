"""Covariance of fitted strengths whose votes share prompts and annotators.

Every vote has a score, the derivative of its log likelihood. With S_g the sum of scores in
cluster g and A the inverse information, one clustering with G clusters gives

    V = A (sum_g Z_g Z_g') A,  Z_gi = S_gi / sqrt(c_gi)

and two crossed ones V = Vp + Va - Vpa. Prompts and annotators have the divisors c_gi of
`arm_clusters` for the votes on arm i they hold, so that somebody who casts most votes on an arm
does not pass for agreement; pairs of both the common (G - 1) / G. A vote's score has three entries
other than zero (its two arms and log nu), so the sums are made by counting, a block of votes at a
time that fits the processor's cache.

References: Cameron, Gelbach and Miller (2011), JBES 29:238-249; Liang and Zeger (1986),
Biometrika 73:13-22.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..votes.chunking import BLOCK, Codes, blocks, chunks, pair_blocks, without_gaps
from ..votes.columns import IntColumn
from ..votes.pairs import PairVotes
from .arm_clusters import ArmClusters, sizes_in
from .davidson import Fit, chances, regular


@dataclass(frozen=True, eq=False)
class ClusteredCovariance:
    """Covariances of (theta, log nu), q x q, and the clusters behind them.

    Attributes:
        two_way: Vp + Va - Vpa; it may have negative eigenvalues in small samples.
        prompt, annotator: the one-way covariances, floors of every variance.
        model: the inverse information, right if votes were independent and the model true.
        clusters: of prompts and of annotators, from which degrees of freedom follow.
    """

    two_way: FloatArray
    prompt: FloatArray
    annotator: FloatArray
    model: FloatArray
    clusters: tuple[ArmClusters, ArmClusters]

    @property
    def df(self) -> float:
        """The fewer degrees of freedom of the two clusterings, of all votes together."""
        return min(each.whole_df for each in self.clusters)

    def strength_df(self) -> FloatArray:
        """The same of each strength (M,), by who judged which arm: `df` at most."""
        m = len(self.clusters[0].held) - 1
        squared = (np.eye(m) - 1.0 / m) ** 2  # a strength is relative to the mean of all
        return np.minimum(*(each.df_of(squared) for each in self.clusters))

    def difference_df(self) -> FloatArray:
        """The same of theta_i - theta_j for all pairs (M, M)."""
        return np.minimum(*(each.difference_df() for each in self.clusters))

    def floored(self, contrasts: FloatArray) -> FloatArray:
        """Variance of each row of `contrasts` (n, q): max(two-way, prompt, annotator)."""
        return _largest([((contrasts @ v) * contrasts).sum(axis=1) for v in self._terms])

    def differences(self, n_arms: int) -> FloatArray:
        """Variance of theta_i - theta_j for all pairs (M, M), floored in the same way."""
        m = n_arms
        return _largest([difference_variances(v[:m, :m]) for v in self._terms])

    @property
    def _terms(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.two_way, self.prompt, self.annotator


def clustered_covariance(votes: PairVotes, fitted: Fit) -> ClusteredCovariance:
    """The two-way clustered covariance of a fit to these votes, in time linear in their number.

    Needs two prompts and two annotators with votes on each arm.
    """
    scores = Scores.of(votes, fitted)
    m = votes.n_arms
    inverse = inverse_information(fitted, m)
    columns = (votes.prompt, votes.annotator)
    by_prompt, by_annotator = (ArmClusters.of(votes, codes) for codes in columns)
    prompt, annotator = (
        inverse @ _products(votes, scores, codes, clusters) @ inverse
        for codes, clusters in zip(columns, (by_prompt, by_annotator), strict=True)
    )
    pair = inverse @ _products_of_pairs(votes, scores) @ inverse
    return ClusteredCovariance(
        two_way=prompt + annotator - pair,
        prompt=prompt,
        annotator=annotator,
        model=inverse,
        clusters=(by_prompt, by_annotator),
    )


def inverse_information(fitted: Fit, n_arms: int) -> FloatArray:
    """The inverse information (q, q) of one fit, across theta + constant."""
    m = n_arms
    inverse: FloatArray = np.asarray(np.linalg.inv(regular(fitted.information, m)), np.float64)
    inverse[:m, :m] -= inverse[:m, :m].mean()  # the part along theta + constant, added by regular
    return inverse


def difference_variances(covariance: FloatArray) -> FloatArray:
    """Variance of x_i - x_j for all i and j.

    >>> difference_variances(np.array([[2.0, 0.5], [0.5, 1.0]])).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    variance = np.diag(covariance)
    table: FloatArray = variance[:, None] + variance[None, :] - 2.0 * covariance
    return table


@dataclass(frozen=True, eq=False)
class Scores:
    """Derivatives of a vote's log likelihood by its cell, see `PairVotes.cells`."""

    theta: FloatArray  # of first's strength; second's is its negative
    log_nu: FloatArray | None
    size: int

    @classmethod
    def of(cls, votes: PairVotes, fitted: Fit) -> Scores:
        theta = fitted.strengths
        win, tie, lose = chances(theta[:, None] - theta[None, :], fitted.log_nu)
        net = np.array([1.0, 0.0, -1.0])
        by_theta = (net - (win - lose)[..., None]) / 2.0
        by_log_nu = None
        if fitted.log_nu is not None:
            by_log_nu = (np.array([0.0, 1.0, 0.0]) - tie[..., None]).ravel()
        size = votes.n_arms + (fitted.log_nu is not None)
        return cls(by_theta.ravel(), by_log_nu, size)

    def sums(
        self, votes: PairVotes, rows: slice | IntColumn, cluster: IntColumn, n: int
    ) -> FloatArray:
        """The sum of scores in each of n clusters: (n, size)."""
        cells = votes.cells(rows)
        start = cluster * self.size
        by_theta = self.theta[cells]
        sums = np.bincount(start + votes.first[rows], by_theta, n * self.size).astype(
            np.float64, copy=False
        )
        sums -= np.bincount(start + votes.second[rows], by_theta, n * self.size)
        table: FloatArray = sums.reshape(n, self.size)
        if self.log_nu is not None:
            table[:, -1] = np.bincount(cluster, self.log_nu[cells], n)
        return table


def _products(votes: PairVotes, scores: Scores, codes: Codes, clusters: ArmClusters) -> FloatArray:
    """sum_g Z_g Z_g' over the clusters of one column."""
    count = int(codes.max()) + 1
    if count * scores.size <= len(votes):
        return _products_of_few(votes, scores, codes, clusters, count)
    products = np.zeros((scores.size, scores.size))
    for rows in blocks(codes):
        cluster, n = without_gaps(codes[rows].astype(np.int64) - int(codes[rows[0]]))
        sums = scores.sums(votes, rows, cluster, n)
        products += _product_of(sums, clusters.divisors(sizes_in(votes, rows, cluster, n)))
    return products


def _products_of_few(
    votes: PairVotes, scores: Scores, codes: Codes, clusters: ArmClusters, n: int
) -> FloatArray:
    """The same for clusters whose sums fit beside the votes: no sorting is needed."""
    sums, sizes = np.zeros((n, scores.size)), np.zeros((n, votes.n_arms + 1))
    for rows in chunks(len(votes), max(BLOCK, n * scores.size)):
        cluster = codes[rows].astype(np.int64)
        sums += scores.sums(votes, rows, cluster, n)
        sizes += sizes_in(votes, rows, cluster, n)
    return _product_of(sums, clusters.divisors(sizes))


def _product_of(sums: FloatArray, divisors: FloatArray) -> FloatArray:
    """Z'Z of some clusters; without ties, the scores have no column for the last divisor."""
    corrected = sums / np.sqrt(divisors[:, : sums.shape[1]])
    product: FloatArray = corrected.T @ corrected
    return product


def _products_of_pairs(votes: PairVotes, scores: Scores) -> FloatArray:
    """G / (G - 1) * sum_g S_g S_g' over the clusters of prompt and annotator."""
    products, count = np.zeros((scores.size, scores.size)), 0
    for rows, cluster, n in pair_blocks(votes.prompt, votes.annotator, len(votes.annotators)):
        sums = scores.sums(votes, rows, cluster, n)
        products += sums.T @ sums
        count += n
    return count / (count - 1.0) * products


def _largest(terms: list[FloatArray]) -> FloatArray:
    """Their elementwise maximum, and 0 where rounding leaves less."""
    return np.maximum(np.maximum.reduce(terms), 0.0)
