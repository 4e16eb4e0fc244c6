"""What the votes can tell of an order: confidence sets for ranks, chances of ranks, tiers.

Sets hold the true ranks of all arms at once with the chance `level`. i is above j if theta_i -
theta_j > q se_ij, with q the t quantile, at the degrees of freedom of the pair, that all
M (M - 1) / 2 pairs keep to at once by Bonferroni's inequality; the set of i runs from 1 + (number
above i) to M - (number below i). The quantile of the largest |t| under the ranking's own covariance
would be smaller, but that covariance comes from the same few people as the se_ij: with ten equal
arms and six annotators of strong habits it is 4.4, and 80 % of studies hold the true ranks;
Bonferroni's is 6.7, with 96 to 99 %. Where people are many, Bonferroni's is 3 % larger than it need
be.

P(rank = k) is the share of draws of strengths, made around the estimates from the multivariate t of
the ranking (each arm at its own degrees of freedom), in which i is k-th: a description of the
uncertainty that takes the estimates as centre, not a coverage statement.

Tiers. The strongest arm heads tier 1; a tier holds, in order of strength, all that are not below
its head; the first that is below heads the next tier. Members of one tier are not shown to be
equal, only not told apart from its head.

How to read. "Rank 2 to 4" claims that one arm is better and that M - 4 are worse, for all arms
together at the stated level. Overlap of single intervals would be both too strict for one pair and
too lax for all.

References. Mogstad, Romano, Shaikh and Wilhelm (2024), Review of Economic Studies 91:476-518, the
single-step sets; Goldstein and Spiegelhalter (1996), JRSS A 159:385-443, for P(rank = k).
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.intervals import t_quantile, t_quantiles
from ..inference.multiplicity import joint_draws
from ..votes.columns import BoolColumn, IntColumn
from .results import Lead, Ranking, t_interval

DRAWS = 10_000  # of strengths, for chances of ranks


def tiers_of(ranks: IntColumn, above: BoolColumn) -> IntColumn:
    """The tier of each arm; `above` (M, M) says who is told apart from whom."""
    tiers = np.empty(len(ranks), dtype=np.int64)
    order = np.lexsort((np.arange(len(ranks)), ranks))
    head, tier = order[0], 1
    for at in order:
        if above[head, at]:
            head, tier = at, tier + 1
        tiers[at] = tier
    return tiers


def critical_value(n_arms: int, level: float, df: float) -> float:
    """The t quantile that all pairs of so many arms keep to at once, by Bonferroni."""
    return t_quantile(_level_of_each(n_arms, level), df)


def critical_values(n_arms: int, level: float, df: FloatArray) -> FloatArray:
    """The same for each of these degrees of freedom."""
    return t_quantiles(_level_of_each(n_arms, level), df)


def _level_of_each(n_arms: int, level: float) -> float:
    return 1.0 - (1.0 - level) / max(n_arms * (n_arms - 1) // 2, 1)


def told_apart(ranking: Ranking, n_arms: int) -> BoolColumn:
    """(M, M): whether i is above j, for all pairs of so many arms. The ranking has intervals."""
    values, se, df = ranking.values, ranking.difference_se, ranking.difference_df
    assert values is not None
    assert se is not None
    assert df is not None
    lead = values[:, None] - values[None, :]
    above: BoolColumn = lead > critical_values(n_arms, ranking.level, df) * se
    return above


def leads_of(ranking: Ranking, n_arms: int) -> tuple[Lead, ...]:
    """How far the strongest arm is ahead of each other; bounds for all pairs of so many arms."""
    values, se, df = ranking.values, ranking.difference_se, ranking.difference_df
    if values is None or se is None or df is None:
        return ()
    first = int(np.argmax(values))
    reach = critical_values(n_arms, ranking.level, df[first])
    return tuple(
        lead_of(ranking.arms[first], ranking.arms[at], values[first] - values[at],
                se[first, at], reach[at])
        for at in np.argsort(-values, kind="stable").tolist()
        if at != first
    )  # fmt: skip


def lead_of(arm: Hashable, other: Hashable, value: float, se: float, quantile: float) -> Lead:
    """A lead with its bounds."""
    low, high = t_interval(float(value), float(se), float(quantile))
    return Lead(arm=arm, other=other, value=float(value), se=float(se), low=low, high=high)


def drawn_chances(ranking: Ranking, rng: np.random.Generator) -> FloatArray:
    """(M, M): row i, column k - 1 holds P(rank = k). The ranking has intervals."""
    values, covariance = ranking.values, ranking.covariance
    assert values is not None
    assert covariance is not None
    df_of = {one.arm: one.df for one in ranking.strengths}
    df = np.array([df_of[arm] for arm in ranking.arms], dtype=np.float64)
    return chances_of_ranks(values + joint_draws(covariance, df, rng, DRAWS))


def chances_of_ranks(drawn: FloatArray) -> FloatArray:
    """(M, M): the share of draws (draws, M) in which arm i is k-th at row i, column k - 1."""
    draws, m = drawn.shape
    order = np.argsort(-drawn, axis=1)  # column k: who is k-th
    counts = np.bincount((order * m + np.arange(m)).ravel(), minlength=m * m)
    chances: FloatArray = counts.reshape(m, m) / draws
    chances.setflags(write=False)
    return chances
