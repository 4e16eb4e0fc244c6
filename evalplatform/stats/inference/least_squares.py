"""Effects of groups beside those of strata, by least squares.

A value y of stratum s (such as an arm) and group g (such as a place of showing, or a half) is read
as a_s + b_g. A contrast c of the effects b, with sum 0, is a weighted sum of the values,

    c'b = sum_k w_k y_k,  w_k = u_g - sum_h T_sh u_h / n_s,  L u = c,

where T_sh values of stratum s are in group h, n_s = sum_h T_sh, and L = diag(n_h) - sum_s T_s T_s'
/ n_s. The score of a cluster is the sum of w_k (y_k - a_s - b_g) over it. V and its degrees of
freedom are made of these as in `means`, for clusters that hold sum |w_k|. Where strata and groups
go together, few values tell one from the other: they weigh much, and V is so much larger than if
the effects of strata were known. V0 = sum_k w_k^2 / (n_g + 4) is what one vote a grade away from
all others would make of V.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..votes.chunking import Codes, pair_blocks
from ..votes.columns import IntColumn
from .clustering import FloatArray, score_divisors
from .degrees import one_way_df, two_way_df
from .means import GroupedValues

_NO_WEIGHT = 1e-12  # of the largest; below it a weight is rounding error


@dataclass(frozen=True, kw_only=True)
class GroupContrast:
    """A contrast of effects.

    Attributes:
        by_group: (G,) what the values of each group add to it; `value` is their sum.
        n_prompts, n_annotators: prompts and annotators whose values have a weight in it.
        variance, df: None where fewer than two of either have.
    """

    by_group: FloatArray
    n_prompts: int
    n_annotators: int
    variance: float | None = None
    df: float | None = None

    @property
    def value(self) -> float:
        return float(self.by_group.sum())


@dataclass(frozen=True, eq=False)
class GroupEffects:
    """Values fitted by strata and groups, see `GroupEffects.fitted`.

    Attributes:
        values: the numbers. cell: (N,) stratum times n_groups plus group of each.
        n, sums: (S, G) how many numbers each cell has, and their sum.
        residual: (N,) what the fit leaves of each. per_vote: numbers that one vote gives a group.
    """

    values: GroupedValues
    cell: IntColumn
    n: FloatArray
    sums: FloatArray
    residual: FloatArray
    per_vote: float

    @classmethod
    def fitted(
        cls,
        values: GroupedValues,
        stratum: Codes | IntColumn,
        n_strata: int,
        per_vote: float = 1.0,
    ) -> GroupEffects | None:
        """Fit them; None where the strata do not link all groups with each other."""
        shape = n_strata, values.n_groups
        cell = stratum.astype(np.int64) * values.n_groups + values.group
        n = _sums(cell, None, n_strata * values.n_groups).reshape(shape)
        sums = _sums(cell, values.value, n_strata * values.n_groups).reshape(shape)
        if np.linalg.matrix_rank(_linking(n)) < values.n_groups - 1:
            return None
        some = np.maximum(n.sum(axis=1), 1.0)
        of_group = _solved(n, sums.sum(axis=0) - n.T @ (sums.sum(axis=1) / some))
        of_stratum = (sums.sum(axis=1) - n @ of_group) / some
        fit = (of_stratum[:, None] + of_group).ravel()
        return cls(values, cell, n, sums, values.value - fit[cell], per_vote)

    def contrast(self, vector: FloatArray) -> GroupContrast:
        """Estimate one, given as a weight for each group, with sum 0."""
        weights = self._weights(vector)
        weight = weights.ravel()[self.cell]
        size, score = np.abs(weight), weight * self.residual
        values = self.values
        tables = [
            (_sums(codes, size, count), _sums(codes, score, count))
            for codes, count in (
                (values.prompt, values.n_prompts),
                (values.annotator, values.n_annotators),
            )
        ]
        n_prompts, n_annotators = (int(np.count_nonzero(sizes)) for sizes, _ in tables)
        by_group = (weights * self.sums).sum(axis=0)
        if min(n_prompts, n_annotators) < 2:
            return GroupContrast(by_group=by_group, n_prompts=n_prompts, n_annotators=n_annotators)
        one_way = [_one_way(*each) for each in tables]
        (by_prompt, prompt_df), (by_annotator, annotator_df) = one_way
        by_pair = self._by_pair(score)
        floor = max(by_pair, self._least(weights))
        whole = max(by_prompt + by_annotator - by_pair, by_prompt, by_annotator, floor)
        df = two_way_df(
            whole, (max(by_prompt, floor), prompt_df), (max(by_annotator, floor), annotator_df)
        )
        return GroupContrast(
            by_group=by_group,
            n_prompts=n_prompts,
            n_annotators=n_annotators,
            variance=whole,
            df=df,
        )

    def _weights(self, vector: FloatArray) -> FloatArray:
        """(S, G): w of a value in each cell, 0 in empty ones."""
        solved = _solved(self.n, vector)
        weights = solved - (_shares(self.n) @ solved)[:, None]
        weights[(self.n == 0.0) | (np.abs(weights) < _NO_WEIGHT * np.abs(solved).max())] = 0.0
        return weights

    def _by_pair(self, score: FloatArray) -> float:
        """G / (G - 1) * sum_g s_g^2 over the G clusters of prompt and annotator."""
        values, total, count = self.values, 0.0, 0
        for rows, cluster, n in pair_blocks(values.prompt, values.annotator, values.n_annotators):
            total += float((_sums(cluster, score[rows], n) ** 2).sum())
            count += n
        return total * (count / max(count - 1.0, 1.0))

    def _least(self, weights: FloatArray) -> float:
        votes = self.n.sum(axis=0) / self.per_vote
        return float((self.per_vote * self.n * weights**2 / (votes + 4.0)).sum())


def _sums(codes: Codes | IntColumn, weight: FloatArray | None, count: int) -> FloatArray:
    return np.bincount(codes, weight, count).astype(np.float64, copy=False)


def _shares(n: FloatArray) -> FloatArray:
    shares: FloatArray = n / np.maximum(n.sum(axis=1, keepdims=True), 1.0)
    return shares


def _linking(n: FloatArray) -> FloatArray:
    """L without its last group, whose effect is taken as 0: regular where all are linked."""
    whole: FloatArray = np.diag(n.sum(axis=0)) - n.T @ _shares(n)
    return whole[:-1, :-1]


def _solved(n: FloatArray, right: FloatArray) -> FloatArray:
    solved = np.zeros(len(right))
    solved[:-1] = np.linalg.solve(_linking(n), right[:-1])
    return solved


def _one_way(size: FloatArray, score: FloatArray) -> tuple[float, float]:
    """V of one clustering and its degrees of freedom; two clusters or more hold something."""
    held = size > 0.0
    return float((score[held] ** 2 / score_divisors(size[held])).sum()), one_way_df(size[held])
