"""Means of grades by arm, and contrasts of them, whose votes share prompts and annotators.

What is said of arms here holds of any groups of values (`GroupedValues`): of the places at which
images were shown, or of early and late votes.

A grade y of arm i has the score (y - mean_i) / n_i. A contrast c of means (one arm, or one arm
less another) has in cluster g the score s_g = sum_i c_i * (scores of arm i in g), and

    V = max(Vp + Va - Vpa, Vp, Va, Vpa, V0),  V_p = sum_g s_g^2 / c_g

with the divisors of `clustering` for clusters that hold size_g = sum_i |c_i| n_gi / n_i, and the
degrees of freedom of `degrees.two_way_df`. Two arms rated on the same prompts are so compared
within prompts: what a prompt adds to both cancels in s_g. V0 = sum_i c_i^2 / (n_i + 4) / n_i is
what one vote a grade away from all others would make of V, so that equal grades are not certain
of their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..votes.chunking import Codes, pair_blocks
from ..votes.columns import IntColumn
from ..votes.graded import GradedVotes
from .clustering import FloatArray, score_divisors
from .degrees import one_way_df, two_way_df


@dataclass(frozen=True, eq=False)
class ClusterScores:
    """One clustering: n (G, M), grades of each arm in each cluster, and their summed scores."""

    n: FloatArray
    scores: FloatArray

    def variance(self, contrast: FloatArray) -> tuple[float, float]:
        """V of a contrast, and its degrees of freedom; two clusters or more hold its grades."""
        size = self._size(contrast)
        held = size > 0.0
        scores = self.scores[held] @ contrast
        v = float((scores**2 / score_divisors(size[held])).sum())
        return v, one_way_df(size[held])

    def n_held(self, contrast: FloatArray) -> int:
        return int(np.count_nonzero(self._size(contrast)))

    def _size(self, contrast: FloatArray) -> FloatArray:
        total = np.maximum(self.n.sum(axis=0), 1.0)
        size: FloatArray = self.n @ (np.abs(contrast) / total)
        return size


@dataclass(frozen=True, kw_only=True)
class ContrastVariance:
    """Variance of a contrast of means, its degrees of freedom, and that of independent votes.

    `fewest_df` is the fewer of the two clusterings': for many contrasts at once, whose critical
    values lie so far out that Satterthwaite's df is too many where people are few.
    """

    variance: float
    df: float
    fewest_df: float
    independent: float


@dataclass(frozen=True, eq=False)
class GroupedValues:
    """Numbers to average by group, entry i of each column describing number i.

    Attributes:
        value: (N,) the numbers, in a unit in which 1 is one grade.
        group, prompt, annotator: (N,) codes, below n_groups, n_prompts and n_annotators.
    """

    value: FloatArray
    group: Codes | IntColumn
    prompt: Codes | IntColumn
    annotator: Codes | IntColumn
    n_groups: int
    n_prompts: int
    n_annotators: int


@dataclass(frozen=True, eq=False)
class GradeMeans:
    """Means of all arms with what their variances need; grades of one image a vote.

    Attributes:
        n: (M,) grades of each arm; means, spreads: (M,) their mean and variance; 0 without any.
        prompt, annotator: the two clusterings.
        pair_products: (M, M), products of scores summed over clusters of both.
    """

    n: FloatArray
    means: FloatArray
    spreads: FloatArray
    prompt: ClusterScores
    annotator: ClusterScores
    pair_products: FloatArray

    @classmethod
    def of(cls, graded: GradedVotes) -> GradeMeans:
        """Of the grades of single images by arm."""
        return cls.of_values(
            GroupedValues(
                value=graded.grade.astype(np.float64),
                group=graded.arm,
                prompt=graded.prompt,
                annotator=graded.annotator,
                n_groups=graded.n_arms,
                n_prompts=len(graded.prompts),
                n_annotators=len(graded.annotators),
            )
        )

    @classmethod
    def of_values(cls, values: GroupedValues) -> GradeMeans:
        """Of any values by group; read "arm" as "group" in what is said of it."""
        m, value, group = values.n_groups, values.value, values.group
        n = np.bincount(group, minlength=m).astype(np.float64)
        some = np.maximum(n, 1.0)
        means = np.bincount(group, value, m) / some
        score = (value - means[group]) / some[group]
        spreads = np.bincount(group, (value - means[group]) ** 2, m) / some
        tables = [
            ClusterScores(
                _table(codes, group, None, (count, m)),
                _table(codes, group, score, (count, m)),
            )
            for codes, count in (
                (values.prompt, values.n_prompts),
                (values.annotator, values.n_annotators),
            )
        ]
        return cls(n, means, spreads, tables[0], tables[1], _pair_products(values, score))

    def contrast(self, *arms: int) -> FloatArray:
        """The mean of one arm, or the first less the second."""
        made = np.zeros(len(self.n))
        for arm, sign in zip(arms, (1.0, -1.0), strict=False):
            made[arm] = sign
        return made

    def variance(self, contrast: FloatArray) -> ContrastVariance:
        """V of the module's formula; two prompts and two annotators hold grades of it."""
        by_prompt, prompt_df = self.prompt.variance(contrast)
        by_annotator, annotator_df = self.annotator.variance(contrast)
        by_pair = max(float(contrast @ self.pair_products @ contrast), 0.0)
        least = 1.0 / (self.n + 4.0)
        some = np.maximum(self.n, 1.0)
        independent = float((contrast**2 * np.maximum(self.spreads, least) / some).sum())
        floor = max(by_pair, float((contrast**2 * least / some).sum()))
        whole = max(by_prompt + by_annotator - by_pair, by_prompt, by_annotator, floor)
        df = two_way_df(
            whole, (max(by_prompt, floor), prompt_df), (max(by_annotator, floor), annotator_df)
        )
        fewest = min(prompt_df, annotator_df)
        return ContrastVariance(variance=whole, df=df, fewest_df=fewest, independent=independent)

    def covariance(self) -> FloatArray:
        """Two-way clustered covariance of all means (M, M), for draws; variances as above."""
        parts = []
        for table in (self.prompt, self.annotator):
            size = table.n.sum(axis=1)
            held = size > 0.0
            scores = table.scores[held] / np.sqrt(score_divisors(size[held]))[:, None]
            parts.append(scores.T @ scores)
        made: FloatArray = parts[0] + parts[1] - self.pair_products
        seen = np.diag(made)
        wanted = [self.variance(self.contrast(arm)).variance for arm in range(len(seen))]
        if (seen <= 0.0).any():
            return np.diag(wanted)
        scale = np.sqrt(np.array(wanted) / seen)
        return made * np.outer(scale, scale)


def _table(
    codes: Codes | IntColumn,
    group: Codes | IntColumn,
    weight: FloatArray | None,
    shape: tuple[int, int],
) -> FloatArray:
    cell = codes.astype(np.int64) * shape[1] + group
    table = np.bincount(cell, weight, shape[0] * shape[1]).astype(np.float64, copy=False)
    return table.reshape(shape)


def _pair_products(values: GroupedValues, score: FloatArray) -> FloatArray:
    """G / (G - 1) * sum_g S_g S_g' over the G clusters of prompt and annotator."""
    m, count = values.n_groups, 0
    products = np.zeros((m, m))
    for rows, cluster, n in pair_blocks(values.prompt, values.annotator, values.n_annotators):
        sums = _table(cluster, values.group[rows], score[rows], (n, m))
        products += sums.T @ sums
        count += n
    return products * (count / max(count - 1.0, 1.0))
