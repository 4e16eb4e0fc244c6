"""Ranks, rank sets, tiers and chances of ranks of all arms, also of those without a strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.columns import BoolColumn, IntColumn
from .existence import chained
from .rank_sets import critical_values, drawn_chances, tiers_of, told_apart
from .results import Ranking
from .separation import Layers


@dataclass(frozen=True, eq=False)
class Places:
    """One entry per compared arm, by position; None for what is unknown.

    Attributes:
        ranks: from 1; lows, highs: of the rank sets; tiers: from 1.
        chances: rows P(rank = 1 ... M); NaN rows for arms without an interval.
        method: how the rank sets were made, in words.
    """

    ranks: IntColumn | None = None
    lows: IntColumn | None = None
    highs: IntColumn | None = None
    tiers: IntColumn | None = None
    chances: FloatArray | None = None
    method: str = "none"

    @classmethod
    def held(
        cls, ranks: IntColumn, above: BoolColumn, chances: FloatArray | None, method: str
    ) -> Places:
        """The places by who is above whom (M, M); what follows from that in a chain is added."""
        above = chained(above)
        lows, highs = 1 + above.sum(axis=0), len(above) - above.sum(axis=1)
        return cls(ranks, lows, highs, tiers_of(ranks, above), chances, method)

    def rank(self, at: int | None) -> int | None:
        return _entry(self.ranks, at)

    def low(self, at: int | None) -> int | None:
        return _entry(self.lows, at)

    def high(self, at: int | None) -> int | None:
        return _entry(self.highs, at)

    def tier(self, at: int | None) -> int | None:
        return _entry(self.tiers, at)

    def chances_of(self, at: int | None) -> tuple[float, ...] | None:
        if at is None or self.chances is None or np.isnan(self.chances[at, 0]):
            return None
        return tuple(self.chances[at].tolist())


def places_of(
    ranking: Ranking | None,
    found: Layers,
    shown: BoolColumn,
    rng: np.random.Generator,
    level: float,
) -> Places:
    """The order of M compared arms.

    `ranking` is of the core of `found`, or None; `shown` (M, M) says which arm is above which by
    the votes on the two alone. What follows from both in a chain is added. Chances of ranks take
    the places of arms without bound as certain.
    """
    ranks = _ranks(ranking, found, len(shown))
    if ranks is None:
        return Places()
    if ranking is not None and ranking.interval_state is not State.DEFINED:
        return Places(ranks=ranks)
    m = len(shown)
    above, chances = shown.copy(), None
    method = "arms without bound by the net of their pairs"
    if ranking is not None and ranking.difference_df is not None:
        above[np.ix_(found.core, found.core)] = told_apart(ranking, m)
        chances = np.full((m, m), np.nan)
        n_above = sum(len(one) for one in found.above)
        among = drawn_chances(ranking, rng)
        chances[found.core] = 0.0
        chances[np.ix_(found.core, n_above + np.arange(len(found.core)))] = among
        core = _method(critical_values(m, level, ranking.difference_df))
        method = core if len(found.core) == m else f"{core}; {method}"
    return Places.held(ranks, above, chances, method)


def _method(quantiles: FloatArray) -> str:
    of_pairs = quantiles[np.triu_indices(len(quantiles), 1)]
    low, high = f"{of_pairs.min():.2f}", f"{of_pairs.max():.2f}"
    said = f"critical value {low}" if low == high else f"critical values {low} to {high}"
    return f"all pairs at once by Bonferroni, {said}"


def _ranks(ranking: Ranking | None, found: Layers, m: int) -> IntColumn | None:
    if ranking is None and len(found.core) > 1:
        return None
    ranks, before = np.zeros(m, dtype=np.int64), 0
    for layer in found.above:
        ranks[layer] = before + 1
        before += len(layer)
    if ranking is not None:
        by_arm = {one.arm: one.rank for one in ranking.strengths}
        ranks[found.core] = before + np.array([by_arm[arm] for arm in ranking.arms])
    else:
        ranks[found.core] = before + 1
    before += len(found.core)
    for layer in found.below:
        ranks[layer] = before + 1
        before += len(layer)
    return ranks


def _entry(column: IntColumn | None, at: int | None) -> int | None:
    return None if column is None or at is None else int(column[at])
