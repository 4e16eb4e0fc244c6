"""Variance of shares whose votes share prompts and annotators.

Everything here reads small tables: for each cluster, how much A, tie and B it holds. A share is a
ratio of two sums over votes, r = sum(value) / sum(counted); its linearised score in cluster g is

    s_g = sum over votes in g of (value - r * counted) / sum(counted)

and the variance for one clustering, with w_g the share of what is counted that lies in g, is

    V = sum_g s_g^2 / c_g,  c_g = (1 - w_g)^2 + sum over h other than g of w_h^2.

The divisor makes V unbiased where what differs between clusters is one effect a cluster, all of
one variance: s_g = w_g (e_g - sum_h w_h e_h) then has the variance w_g^2 c_g of one effect, and V
that of the mean, sum_g w_g^2. For G clusters of one size it is the usual factor G / (G - 1). It
matters where one person casts most votes: that person's score is then nearly 0 by construction,
since the mean is nearly theirs, and without the divisor their 98 % of the votes would pass for
agreement. The jackknife that leaves out one cluster has (1 - w_g)^2 (G - 1) / G in place of c_g,
which is the same where the other clusters are of one size, and too large where they are not.

The intersection, clusters of (prompt, annotator), has so many and so small clusters that the
common factor G / (G - 1) serves; it can be had from moments of a table that is never made.

References: Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering, JBES
29:238-249; Bell and McCaffrey (2002), Survey Methodology 28:169-181, for corrected scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..votes.chunking import CHUNK, Codes, chunks, column_sums, pair_blocks
from ..votes.columns import Groups, IntColumn

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A share as sum(value) / sum(counted), both given per outcome (A, tie, B, or others)."""

    value: tuple[float, ...]
    counted: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def is_signed(self) -> bool:
        """Whether this is a difference of shares, in [-1, 1], rather than a share in [0, 1]."""
        return min(self.value) < 0.0

    def of(self, total: FloatArray) -> float:
        return float(total @ np.array(self.value) / (total @ np.array(self.counted)))

    def spread(self, total: FloatArray) -> float:
        """Variance of one counted vote around the share, for these weights of A, tie and B."""
        deviation = np.array(self.value) - self.of(total) * np.array(self.counted)
        return float(total @ deviation**2 / (total @ np.array(self.counted)))

    def scores(self, table: FloatArray, total: FloatArray) -> FloatArray:
        """The linearised score of each row (cluster) of `table`."""
        deviation = np.array(self.value) - self.of(total) * np.array(self.counted)
        scores: FloatArray = table @ deviation / (total @ np.array(self.counted))
        return scores

    def n_counted(self, table: FloatArray) -> int:
        """How many rows (clusters) hold any counted vote."""
        return int(np.count_nonzero(table @ np.array(self.counted) > 0.0))


def outcome_table(
    groups: Groups,
    outcome: IntColumn,
    weight: FloatArray | None = None,
    *,
    outcomes: int = 3,
) -> FloatArray:
    """Weight of each of so many outcomes (A, tie, B) in each group: one row per group."""
    table = np.zeros(groups.count * outcomes)
    for rows in chunks(len(outcome), max(CHUNK, len(table))):
        cells = groups.codes[rows].astype(np.int64) * outcomes + outcome[rows]
        table += np.bincount(cells, None if weight is None else weight[rows], len(table))
    return table.reshape(groups.count, outcomes)


def cluster_sums(groups: Groups, weight: FloatArray | None = None) -> FloatArray:
    """The sum of `weight` in each group; without it, how many rows each holds."""
    sums = np.bincount(groups.codes, weight, groups.count)
    return sums.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class ClusterMoments:
    """What a variance needs of a table of many clusters: its products and its empty columns.

    Attributes:
        products: (3, 3), the sum over clusters of row' row of the table of A, tie, B.
        patterns: (2, 2, 2), how many clusters hold (or not) any A, any tie, any B.
    """

    products: FloatArray
    patterns: IntColumn

    def n_counted(self, ratio: Ratio) -> int:
        """How many clusters hold any counted vote."""
        held = np.indices((2, 2, 2)).reshape(3, 8).T @ np.array(ratio.counted) > 0.0
        return int(self.patterns.ravel()[held].sum())

    def one_way_variance(self, ratio: Ratio, total: FloatArray) -> float:
        """G / (G - 1) * sum_g s_g^2."""
        value, counted = np.array(ratio.value), np.array(ratio.counted)
        deviation = (value - ratio.of(total) * counted) / (total @ counted)
        count = float(self.n_counted(ratio))
        return count / (count - 1.0) * max(float(deviation @ self.products @ deviation), 0.0)


def pair_moments(
    prompt: Codes, annotator: Groups, outcome: IntColumn, weight: FloatArray | None = None
) -> ClusterMoments:
    """Moments of the table by (prompt, annotator), which may be as long as the votes are many."""
    products, patterns = np.zeros((3, 3)), np.zeros(8, dtype=np.int64)
    for rows, cluster, n in pair_blocks(prompt, annotator.codes, annotator.count):
        cells = cluster * 3 + outcome[rows]
        table = np.bincount(cells, None if weight is None else weight[rows], n * 3).reshape(n, 3)
        products += table.T @ table
        patterns += np.bincount((table > 0.0) @ np.array([4, 2, 1]), minlength=8)
    return ClusterMoments(products, patterns.reshape(2, 2, 2))


def score_divisors(size: FloatArray) -> FloatArray:
    """c_g of the module's formula for clusters that hold this much, all above 0.

    >>> score_divisors(np.array([2.0, 2.0, 2.0, 2.0])).round(6).tolist()  # 3 / 4: 1 / (G / (G - 1))
    [0.75, 0.75, 0.75, 0.75]
    """
    w = size / size.sum()
    divisors: FloatArray = (1.0 - w) ** 2 + np.maximum((w**2).sum() - w**2, 0.0)
    return divisors


def one_way_variance(ratio: Ratio, table: FloatArray) -> float:
    """V of one clustering, as in the module's formula; two clusters or more hold counted votes.

    >>> per_prompt = np.array([[3.0, 0.0, 1.0], [1.0, 0.0, 3.0]])  # 3 of 4 wins, then 1 of 4
    >>> one_way_variance(Ratio((1.0, 0.0, 0.0)), per_prompt)       # the mean of 0.75 and 0.25
    0.0625
    """
    size = table @ np.array(ratio.counted)
    held = size > 0.0
    scores = ratio.scores(table[held], column_sums(table))
    return float((scores**2 / score_divisors(size[held])).sum())
