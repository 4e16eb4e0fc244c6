"""Rank the arms of a campaign: strengths, orders, pairs and what they depend on, in one call."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..inference.intervals import check_level
from ..inference.multiplicity import holm
from ..pairs.rates import Tally, WinRates, win_rates
from ..votes.chunking import count_codes
from ..votes.columns import IntColumn
from ..votes.errors import EmptyVotesError
from ..votes.graded import GradedVotes
from ..votes.pairs import PairVotes
from .davidson import Fit, PairCounts, Ties, fit, pair_counts
from .deciders import deciders
from .existence import usable_ties
from .gallery_results import ArmPair, ArmRanking, RankingRobustness, Standing
from .influence import leave_one_out, redrawn_strengths
from .order import Places, places_of
from .rank_sets import leads_of
from .results import Difference, Ranking
from .separation import Layers, groups, layers
from .strengths import rank
from .two_arms import two_arms

RANK_SEED = 20_251_128
"""The seed of the draws for chances of ranks where a caller gives no generator."""

_REDRAWN = 200  # studies with other prompts
WON, LOST = "won every comparison", "lost every comparison"


def rank_arms(
    graded: GradedVotes,
    level: float = 0.95,
    *,
    rng: np.random.Generator | None = None,
) -> ArmRanking:
    """Rank all arms from votes on pairs, on rankings, or on both.

    Formula. Every vote gives its n (n - 1) / 2 pairs of arms. Davidson's model is fitted to all
    of them, with covariances clustered by prompt and by annotator, see `rank`: pairs of one vote,
    and several image sets of one prompt, share clusters and so count as dependent. Rank sets hold
    for all arms at once, see `rank_sets`. Each two arms that met have the shares of `win_rates`,
    the same figures that a campaign of these two alone would have. What the first place depends
    on is in `deciders`.

    Arms without bound. One arm that never lost has no largest likely strength. It is set aside
    above the others, who are ranked without its comparisons; it has no strength, and its rank set
    is narrowed only by pairs whose own net says so, at the level shared by all pairs. The same
    below for an arm that never won.

    Units. Strengths in natural log units (x 173.7: Elo points), ranks from 1, shares in [0, 1].
    Cost is linear in the number of pairs.

    States. DISCONNECTED: `groups` names the arms that never met, and no order of all is given;
    their pairs keep their figures. See `ArmRanking` for the others. Nothing is refused but votes
    without any pair (`EmptyVotesError`) and a level outside (0, 1) (`UnknownOptionError`).

    References. As in `rank`, `rank_sets`, `win_rates`; Holm (1979), Scandinavian Journal of
    Statistics 6:65-70.

    >>> from ..votes.graded import graded_votes
    >>> rng = np.random.default_rng(5)
    >>> grade = (np.array([1.0, 0.5, 0.0]) + rng.normal(size=(60, 3))).argsort().argsort()
    >>> votes = graded_votes(item=np.arange(60) // 3, prompt=np.arange(60) // 3,
    ...                      annotator=np.arange(60) % 9, arm=np.tile([0, 1, 2], (60, 1)),
    ...                      grade=grade, arms=["tuned", "base", "distilled"])
    >>> found = rank_arms(votes)
    >>> [(one.arm, one.rank, one.rank_low, one.rank_high) for one in found.standings]
    [('tuned', 1, 1, 2), ('base', 2, 1, 3), ('distilled', 3, 2, 3)]
    >>> found.n_votes, found.n_comparisons, found.pair("tuned", "base").rates.tally.total
    (60, 180, 60)
    """
    check_level(level)
    pairs = graded.pairs()
    if pairs is None:
        raise EmptyVotesError(
            "Every vote has one image, so no two arms are compared. Read ratings by rate_arms."
        )
    return _GalleryReport(graded, pairs, level, rng or np.random.default_rng(RANK_SEED)).made()


@dataclass(frozen=True, eq=False)
class _Core:
    """The arms between those set aside, and what was found of them."""

    layers: Layers
    linked: tuple[IntColumn, ...]
    compared: IntColumn  # positions of arms in any pair
    ranking: Ranking | None
    robustness: RankingRobustness
    state: State
    reason: str


@dataclass(frozen=True, eq=False)
class _GalleryReport:
    graded: GradedVotes
    pairs: PairVotes
    level: float
    rng: np.random.Generator

    def made(self) -> ArmRanking:
        counts = pair_counts(self.pairs)
        core = self._core(counts)
        rates = self._rates()
        order = self._order(core, rates)
        several = self.graded.sizes > 1
        sizes = count_codes(self.graded.sizes[several].astype(np.uint8), 256)
        ranking = core.ranking
        return ArmRanking(
            standings=self._standings(core, order, counts),
            leads=leads_of(ranking, len(core.compared)) if ranking is not None else (),
            pairs=self._arm_pairs(rates, ranking),
            robustness=core.robustness,
            tie_weight=ranking.nu if ranking is not None else None,
            groups=tuple(self._ids(core.compared[one]) for one in core.linked),
            never_compared=self._ids(np.setdiff1d(np.arange(self.graded.n_arms), core.compared)),
            n_votes=int(several.sum()),
            n_comparisons=len(self.pairs),
            n_items=len(np.unique(self.graded.item[several])),
            n_prompts=self.pairs.n_prompts,
            n_annotators=self.pairs.n_annotators,
            images_per_vote={int(n): int(sizes[n]) for n in np.flatnonzero(sizes)},
            ties=ranking.ties if ranking is not None else "davidson",
            level=self.level,
            df=ranking.df if ranking is not None else None,
            method=ranking.method if ranking is not None else "none",
            rank_method=order.method,
            state=core.state,
            reason=core.reason,
            interval_state=ranking.interval_state if ranking is not None else core.state,
            interval_reason=ranking.interval_reason if ranking is not None else core.reason,
        )

    def _ids(self, positions: IntColumn) -> tuple[Hashable, ...]:
        return tuple(self.graded.arms[int(at)] for at in positions)

    def _core(self, counts: PairCounts) -> _Core:
        compared = np.unique(np.concatenate([counts.first, counts.second]))
        among = PairCounts(
            np.searchsorted(compared, counts.first),
            np.searchsorted(compared, counts.second),
            counts.counts,
            len(compared),
        )
        linked = groups(among)
        found = layers(among) if len(linked) == 1 else Layers((), np.arange(len(compared)), ())
        ids = self._ids(compared[found.core])
        if len(ids) < 2:
            reason = "Each arm won or lost all its comparisons with the others: there is an order, "
            return self._without_strengths(
                found, linked, compared, State.SEPARATED, reason + "but no strength."
            )
        votes = self.pairs.among(compared[found.core])
        core_counts = pair_counts(votes)
        ties, state, reason = usable_ties(core_counts, votes.arms)
        if state is State.DISCONNECTED and len(linked) == 1:  # arms set aside were the only link
            linked = tuple(found.core[one] for one in groups(core_counts))
        if state is not State.DEFINED:
            return self._without_strengths(found, linked, compared, state, reason)
        ranking = rank(votes, self.level, ties=ties)
        robustness = self._robustness(votes, ranking, found)
        return _Core(found, linked, compared, ranking, robustness, ranking.state, ranking.reason)

    def _without_strengths(
        self,
        found: Layers,
        linked: tuple[IntColumn, ...],
        compared: IntColumn,
        state: State,
        reason: str,
    ) -> _Core:
        robustness = RankingRobustness(state=state, reason=reason)
        return _Core(found, linked, compared, None, robustness, state, reason)

    def _robustness(self, votes: PairVotes, ranking: Ranking, found: Layers) -> RankingRobustness:
        if ranking.state is not State.DEFINED:
            return RankingRobustness(state=ranking.state, reason=ranking.reason)
        if found.above:
            reason = "The first place is of an arm that won every comparison: it depends on those."
            return RankingRobustness(state=State.SEPARATED, reason=reason)
        fitted = fit(pair_counts(votes), ranking.ties)
        fewest = deciders(votes, fitted, ranking.ties)
        return replace(
            leave_one_out(votes, fitted, ranking.ties),
            votes=fewest["votes"],
            annotators=fewest["annotators"],
            prompts=fewest["prompts"],
            first_with_other_prompts=self._share_first(votes, fitted, ranking.ties),
        )

    def _share_first(self, votes: PairVotes, fitted: Fit, ties: Ties) -> float | None:
        if votes.n_prompts < 2:
            return None
        redrawn = redrawn_strengths(votes, fitted, self.rng, replicates=_REDRAWN, ties=ties)
        leader = int(np.argmax(fitted.strengths))
        return float(np.mean(redrawn.argmax(axis=1) == leader)) if len(redrawn) else None

    def _rates(self) -> dict[tuple[int, int], WinRates]:
        """The shares of each two arms that met, by their positions i < j, seen from i."""
        return {
            (first, second): win_rates(votes, self.level)
            for first, second, votes in two_arms(self.graded, self.pairs)
        }

    def _arm_pairs(
        self, rates: dict[tuple[int, int], WinRates], ranking: Ranking | None
    ) -> tuple[ArmPair, ...]:
        p_values = {pair: found.net.p_value for pair, found in rates.items()}
        tested = {pair: p for pair, p in p_values.items() if p is not None}
        adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
        arms = self.graded.arms
        return tuple(
            ArmPair(
                arm=arms[i],
                other=arms[j],
                rates=found,
                net_p_holm=adjusted.get((i, j)),
                difference=_difference(ranking, arms[i], arms[j]),
            )
            for (i, j), found in rates.items()
        )

    def _order(self, core: _Core, rates: dict[tuple[int, int], WinRates]) -> Places:
        """Rank sets over all compared arms."""
        m = len(core.compared)
        unbounded = np.ones(m, dtype=np.bool_)
        unbounded[core.layers.core] = False
        place = {int(arm): at for at, arm in enumerate(core.compared)}
        shown = np.zeros((m, m), dtype=np.bool_)
        n_pairs = max(m * (m - 1) // 2, 1)
        for (i, j), found in rates.items():
            p, net = found.net.p_value, found.net.value
            if p is None or net is None or p >= (1.0 - self.level) / n_pairs:
                continue
            up, down = (place[i], place[j]) if net > 0.0 else (place[j], place[i])
            shown[up, down] = unbounded[up] or unbounded[down]
        return places_of(core.ranking, core.layers, shown, self.rng, self.level)

    def _standings(self, core: _Core, order: Places, counts: PairCounts) -> tuple[Standing, ...]:
        strengths = {}
        if core.ranking is not None:
            strengths = {one.arm: one for one in core.ranking.strengths}
        n_votes = self._votes_by_arm()
        tallies = _tallies(counts)
        above = set(core.compared[np.concatenate([[], *core.layers.above]).astype(np.int64)])
        below = set(core.compared[np.concatenate([[], *core.layers.below]).astype(np.int64)])
        place = {int(arm): at for at, arm in enumerate(core.compared)}
        made = []
        for arm, label in enumerate(self.graded.arms):
            at, strength = place.get(arm), strengths.get(label)
            made.append(
                Standing(
                    arm=label,
                    rank=order.rank(at),
                    value=strength.value if strength else None,
                    se=strength.se if strength else None,
                    low=strength.low if strength else None,
                    high=strength.high if strength else None,
                    df=strength.df if strength else None,
                    rank_low=order.low(at),
                    rank_high=order.high(at),
                    tier=order.tier(at),
                    rank_chances=order.chances_of(at),
                    unbounded=WON if arm in above else LOST if arm in below else "",
                    n_votes=int(n_votes[arm]),
                    n_comparisons=tallies[arm].total,
                    tally=tallies[arm],
                )
            )
        last = len(made) + 1
        return tuple(sorted(made, key=lambda one: one.rank if one.rank is not None else last))

    def _votes_by_arm(self) -> IntColumn:
        """Votes that show each arm beside another."""
        entries = np.repeat(self.graded.sizes > 1, self.graded.sizes)
        return count_codes(self.graded.arm[entries], self.graded.n_arms)


def _difference(ranking: Ranking | None, arm: Hashable, other: Hashable) -> Difference | None:
    if ranking is None or arm not in ranking.arms or other not in ranking.arms:
        return None
    return ranking.difference(arm, other)


def _tallies(counts: PairCounts) -> list[Tally]:
    total: FloatArray = np.zeros((counts.n_arms, 3))
    np.add.at(total, counts.first, counts.counts)
    np.add.at(total, counts.second, counts.counts[:, ::-1])
    return [Tally(win=win, tie=tie, lose=lose) for win, tie, lose in total.astype(int).tolist()]
