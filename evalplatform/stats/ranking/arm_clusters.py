"""How the votes on each arm fall into clusters: what their scores and degrees of freedom rest on.

A strength is known as well as the people (and prompts) are many that judged *this* arm. Where an
arm joined late, two of twenty people may have; by their shares of all votes these two would pass
for two of twenty equal clusters, though they are all there is of the arm. So divisors and degrees
of freedom go by arm, with w_gi the share that cluster g holds of the votes on arm i:

    c_gi = (1 - w_gi)^2 + sum over h other than g of w_hi^2      (divisor of the score on arm i)
    s_i  = sum_g w_gi^2                 (variance of the arm's mean, for cluster effects of one
                                         variance, as that variance's multiple)
    df_i = `degrees.one_way_df` of the votes on arm i in each cluster.

A contrast sum_i l_i theta_i then has Satterthwaite's degrees of freedom for the sum of its arms'
parts, and no more than all votes together have:

    df = min((sum_i l_i^2 s_i)^2 / sum_i (l_i^2 s_i)^2 / df_i, df of all votes)

They follow from who judged what, not from what was answered, so that one vote more does not move
them much. Where every cluster holds the same share of each arm, all is as for the votes as one.

References. Bell and McCaffrey (2002), Survey Methodology 28:169-181; Satterthwaite (1946),
Biometrics Bulletin 2:110-114.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.degrees import one_way_df
from ..votes.chunking import CHUNK, Codes, chunks, count_codes
from ..votes.columns import IntColumn
from ..votes.pairs import PairVotes


@dataclass(frozen=True, eq=False)
class ArmClusters:
    """The votes on each of M arms, and all votes as the last of M + 1 columns, in clusters.

    Attributes:
        held: (M + 1,), votes in all.
        squares: (M + 1,), s_i of the module's formula, in (0, 1].
        df: (M + 1,), df_i; at least 1.
    """

    held: FloatArray
    squares: FloatArray
    df: FloatArray

    @classmethod
    def of(cls, votes: PairVotes, codes: Codes) -> ArmClusters:
        """The clusters of one column; two or more hold votes on each arm."""
        columns = [column for table in _tables(votes, codes) for column in table.T]
        shares = [column[column > 0.0] / column.sum() for column in columns]
        return cls(
            held=np.array([column.sum() for column in columns]),
            squares=np.array([float((share**2).sum()) for share in shares]),
            df=np.array([one_way_df(column) for column in columns]),
        )

    @property
    def whole_df(self) -> float:
        """Degrees of freedom of all votes together."""
        return float(self.df[-1])

    def divisors(self, sizes: FloatArray) -> FloatArray:
        """c_gi for clusters (n, M + 1) that hold so many votes on each arm, and in all."""
        w = sizes / self.held
        divisors: FloatArray = (1.0 - w) ** 2 + np.maximum(self.squares - w**2, 0.0)
        return divisors

    def df_of(self, weights: FloatArray) -> FloatArray:
        """Degrees of freedom (n,) of contrasts whose squared weights l_i^2 are (n, M)."""
        parts = weights * self.squares[:-1]
        return self._combined(parts.sum(axis=1), (parts**2 / self.df[:-1]).sum(axis=1))

    def difference_df(self) -> FloatArray:
        """Degrees of freedom of theta_i - theta_j for all pairs (M, M)."""
        s, spread = self.squares[:-1], self.squares[:-1] ** 2 / self.df[:-1]
        return self._combined(s[:, None] + s[None, :], spread[:, None] + spread[None, :])

    def _combined(self, whole: FloatArray, spread: FloatArray) -> FloatArray:
        df: FloatArray = np.minimum(np.round(whole**2 / spread, 9), self.whole_df)
        return df


def sizes_in(votes: PairVotes, rows: slice | IntColumn, cluster: IntColumn, n: int) -> FloatArray:
    """Votes on each arm, and in all, in each of n clusters: (n, M + 1)."""
    width = votes.n_arms + 1
    start = cluster * width
    sizes = np.bincount(start + votes.first[rows], minlength=n * width)
    sizes += np.bincount(start + votes.second[rows], minlength=n * width)
    table: FloatArray = sizes.reshape(n, width).astype(np.float64)
    table[:, -1] = np.bincount(cluster, minlength=n)
    return table


def _tables(votes: PairVotes, codes: Codes) -> Iterator[FloatArray]:
    """Columns (clusters, some arms) of votes on each arm, then one of all votes.

    So many arms at once that a table is no longer than the votes are.
    """
    n = int(codes.max()) + 1
    at_once = max(max(len(codes), CHUNK) // n, 1)
    for low in range(0, votes.n_arms, at_once):
        width = min(at_once, votes.n_arms - low)
        sizes = np.zeros(n * width, dtype=np.int64)
        for rows in chunks(len(codes), max(CHUNK, len(sizes))):
            start = codes[rows].astype(np.int64) * width
            for side in (votes.first, votes.second):
                arm = side[rows].astype(np.int64) - low
                kept = (arm >= 0) & (arm < width)
                sizes += np.bincount((start + arm)[kept], minlength=len(sizes))
        yield sizes.reshape(n, width).astype(np.float64)
    yield count_codes(codes, n).astype(np.float64)[:, None]
