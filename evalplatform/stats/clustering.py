"""Variance of shares whose votes share prompts and annotators.

Everything here reads small tables: for each cluster, how much A, tie and B it holds. A share is a
ratio of two sums over votes, r = sum(value) / sum(counted); its linearised score in cluster g is

    s_g = sum over votes in g of (value - r * counted) / sum(counted)

and the variance for one clustering with G clusters is V = G / (G - 1) * sum_g s_g^2. The factor
G / (G - 1) makes V unbiased for independent clusters of one size. Each clustering gets its own
factor, as in statsmodels; the other choice in use, one common factor of the smallest clustering,
would inflate the terms that need it least.

Two crossed clusterings: V = max(Vp + Va - Vpa, Vp, Va), where Vpa clusters by (prompt, annotator).
The difference may fall below the one-way terms, even below zero, in small samples; the floor keeps
the interval at least as wide as that of either clustering alone.

Reference: Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering, JBES
29:238-249.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .chunking import CHUNK, Codes, blocks, chunks, without_gaps
from .votes import Groups, IntColumn, SmallGroups

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A share as sum(value) / sum(counted), both given per outcome (A, tie, B)."""

    value: tuple[float, float, float]
    counted: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def is_signed(self) -> bool:
        """Whether this is a difference of shares, in [-1, 1], rather than a share in [0, 1]."""
        return min(self.value) < 0.0

    def of(self, total: FloatArray) -> float:
        return float(total @ np.array(self.value) / (total @ np.array(self.counted)))

    def scores(self, table: FloatArray, total: FloatArray) -> FloatArray:
        """The linearised score of each row (cluster) of `table`."""
        deviation = np.array(self.value) - self.of(total) * np.array(self.counted)
        scores: FloatArray = table @ deviation / (total @ np.array(self.counted))
        return scores

    def n_counted(self, table: FloatArray) -> int:
        """How many rows (clusters) hold any counted vote."""
        return int(np.count_nonzero(table @ np.array(self.counted) > 0.0))


def outcome_table(
    groups: Groups | SmallGroups, outcome: IntColumn, weight: FloatArray | None = None
) -> FloatArray:
    """Weight of A, tie and B in each group: one row per group."""
    table = np.zeros(groups.count * 3)
    for rows in chunks(len(outcome), max(CHUNK, len(table))):
        cells = groups.codes[rows].astype(np.int64) * 3 + outcome[rows]
        table += np.bincount(cells, None if weight is None else weight[rows], len(table))
    return table.reshape(groups.count, 3)


@dataclass(frozen=True, eq=False)
class ClusterMoments:
    """What a variance needs of a table of many clusters: its products and its empty columns.

    Attributes:
        products: (3, 3), the sum over clusters of row' row of the table of A, tie, B.
        patterns: (2, 2, 2), how many clusters hold (or not) any A, any tie, any B.
    """

    products: FloatArray
    patterns: IntColumn

    def one_way_variance(self, ratio: Ratio, total: FloatArray) -> float:
        """G / (G - 1) * sum_g s_g^2, as `one_way_variance` of the table itself."""
        value, counted = np.array(ratio.value), np.array(ratio.counted)
        deviation = (value - ratio.of(total) * counted) / (total @ counted)
        held = np.indices((2, 2, 2)).reshape(3, 8).T @ counted > 0.0
        count = float(self.patterns.ravel()[held].sum())
        return count / (count - 1.0) * max(float(deviation @ self.products @ deviation), 0.0)


def pair_moments(
    prompt: Codes, annotator: SmallGroups, outcome: IntColumn, weight: FloatArray | None = None
) -> ClusterMoments:
    """Moments of the table by (prompt, annotator), which may be as long as the votes are many."""
    products, patterns = np.zeros((3, 3)), np.zeros(8, dtype=np.int64)
    for rows in blocks(prompt):
        code = prompt[rows].astype(np.int64)
        code = (code - code[0]) * annotator.count + annotator.codes[rows]
        cluster, n = without_gaps(code)
        cells = cluster * 3 + outcome[rows]
        table = np.bincount(cells, None if weight is None else weight[rows], n * 3).reshape(n, 3)
        products += table.T @ table
        patterns += np.bincount((table > 0.0) @ np.array([4, 2, 1]), minlength=8)
    return ClusterMoments(products, patterns.reshape(2, 2, 2))


def one_way_variance(ratio: Ratio, table: FloatArray) -> float:
    """G / (G - 1) * sum_g s_g^2, with G the clusters that hold counted votes.

    >>> per_prompt = np.array([[3.0, 0.0, 1.0], [1.0, 0.0, 3.0]])  # 3 of 4 wins, then 1 of 4
    >>> one_way_variance(Ratio((1.0, 0.0, 0.0)), per_prompt)       # the mean of 0.75 and 0.25
    0.0625
    """
    count = ratio.n_counted(table)
    scores = ratio.scores(table, table.sum(axis=0))
    return float(count / (count - 1.0) * (scores @ scores))


def two_way_variance(
    ratio: Ratio,
    by_prompt: FloatArray,
    by_annotator: FloatArray,
    by_pair: FloatArray | ClusterMoments,
) -> float:
    """max(Vp + Va - Vpa, Vp, Va) for votes crossed by prompt and annotator."""
    prompt = one_way_variance(ratio, by_prompt)
    annotator = one_way_variance(ratio, by_annotator)
    if isinstance(by_pair, ClusterMoments):
        pair = by_pair.one_way_variance(ratio, by_prompt.sum(axis=0))
    else:
        pair = one_way_variance(ratio, by_pair)
    return max(prompt + annotator - pair, prompt, annotator)


def independent_variance(ratio: Ratio, weighted: FloatArray, n_votes: int) -> float:
    """Variance of a plain mean of `n_votes` independent votes with this mix of outcomes.

    `weighted` holds the weights of the three outcomes. The sample variance s^2 has divisor n - 1.
    """
    value, counted = np.array(ratio.value), np.array(ratio.counted)
    deviation = value - ratio.of(weighted) * counted
    spread = float(weighted @ deviation**2 / (weighted @ counted))
    return spread / (n_votes - 1.0)
