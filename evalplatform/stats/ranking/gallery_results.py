"""The result of ranking the arms of a campaign from graded votes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..inference.estimates import State
from ..inference.plain import plain
from ..pairs.rates import Tally, WinRates
from ..votes.errors import UnknownOptionError
from .davidson import Ties
from .results import Difference, Lead, TieWeight


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One arm's place among all, see `rank_arms`.

    Attributes:
        arm: its id.
        rank: 1 for the best; arms without a difference share the better rank. None where the
            votes give no order.
        value: strength in natural log units with mean 0 over the arms that have one; times
            173.7 it is in Elo points. None where there is none.
        se, low, high, df: its standard error, interval at the result's level and degrees of
            freedom, or None.
        rank_low, rank_high: the ranks it may have, best and worst, for all arms at once at the
            result's level; None without intervals.
        tier: 1 for the best; arms of one tier are not told apart from its best. None as above.
        rank_chances: P(rank = 1), ..., P(rank = M), with sum 1; None where it has no interval.
        unbounded: "" or why its strength has no bound: "won every comparison", "lost every
            comparison" (with the arms that are not set aside before it).
        n_votes: votes that grade it beside another arm. n_comparisons: pairs in them.
        tally: its wins, ties and losses over all comparisons.
    """

    arm: Hashable
    rank: int | None
    value: float | None
    se: float | None
    low: float | None
    high: float | None
    df: float | None
    rank_low: int | None
    rank_high: int | None
    tier: int | None
    rank_chances: tuple[float, ...] | None
    unbounded: str
    n_votes: int
    n_comparisons: int
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class ArmPair:
    """Two arms that met, seen from `arm`.

    Attributes:
        arm, other: ids, in the order of the arms given.
        rates: win, tie, lose, net, half and decided shares, as `win_rates` of these two alone.
        net_p_holm: p of net = 0, adjusted for all pairs that met by Holm; None without a p.
        difference: how much stronger `arm` is in the model of all arms; None where either has
            no strength. Its p-value is not adjusted.
    """

    arm: Hashable
    other: Hashable
    rates: WinRates
    net_p_holm: float | None
    difference: Difference | None


@dataclass(frozen=True, kw_only=True)
class Decider:
    """How few units decide who is first, see `deciders`.

    Attributes:
        unit: "votes", "annotators" or "prompts".
        count: units whose removal makes another arm first; None where undefined.
        share: `count` over all units; None where undefined.
        new_leader: the arm that is first without them; None where undefined.
        ids: ids of these annotators or prompts where they are at most ten; empty for votes.
        state, reason: NO_LEADER where two arms share the first place; UNBEATABLE where no
            removal along the order gives another leader; else DEFINED.
    """

    unit: str
    count: int | None = None
    share: float | None = None
    new_leader: Hashable | None = None
    ids: tuple[Hashable, ...] = ()
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class RankRange:
    """Ranks and strengths of one arm over all rankings without one annotator."""

    arm: Hashable
    rank: int
    low: int
    high: int
    strength: float
    strength_low: float
    strength_high: float


@dataclass(frozen=True, kw_only=True)
class RankingRobustness:
    """How much the order depends on single people and few votes: a description, no test.

    Attributes:
        votes, annotators, prompts: the fewest found that decide the first place; None where
            undefined.
        without_each_annotator: ranks and strengths over all fits without one annotator.
        leader_changes_without: ids of annotators without whom another arm is first.
        undefined_without: ids of annotators without whom strengths are left open.
        first_with_other_prompts: share, in [0, 1], of 200 studies with prompts drawn again, with
            replacement, in which the same arm is first; None with one prompt.
        state, reason: DEFINED, or why there is none of it.
    """

    votes: Decider | None = None
    annotators: Decider | None = None
    prompts: Decider | None = None
    without_each_annotator: tuple[RankRange, ...] = ()
    leader_changes_without: tuple[Hashable, ...] = ()
    undefined_without: tuple[Hashable, ...] = ()
    first_with_other_prompts: float | None = None
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class ArmRanking:
    """All arms of a campaign on one criterion, see `rank_arms`.

    Attributes:
        standings: one per arm, best first; arms without a rank come last in the order given.
        leads: how far the arm with the largest strength is ahead of each other arm that has one,
            best first; empty without intervals.
        pairs: one per two arms that met, in the order of the arms given.
        robustness: what the first place depends on.
        tie_weight: nu of Davidson's model; None where ties are taken as half wins or undefined.
        groups: ids of arms linked by comparisons; one group where everything is linked. Where
            only arms without bound link the others, the groups are those without them.
        never_compared: ids of the arms that no vote shows beside another.
        n_votes: votes with two images or more; n_comparisons: the pairs in them.
        n_items, n_prompts, n_annotators: among these votes.
        images_per_vote: how many votes have so many images, by number of images.
        ties: "davidson", or "half" where ties leave Davidson's model without a maximum.
        level: of all intervals; df: the most degrees of freedom that a strength has, see
            `Standing.df`.
        method, rank_method: how strengths and rank sets were made, for a table's footnote.
        state, reason: DEFINED, or why not all arms have a strength: DISCONNECTED (see `groups`),
            SEPARATED, NO_DECIDED_VOTES, NOT_CONVERGED.
        interval_state, interval_reason: DEFINED, or why strengths have no intervals.
    """

    standings: tuple[Standing, ...]
    leads: tuple[Lead, ...]
    pairs: tuple[ArmPair, ...]
    robustness: RankingRobustness
    tie_weight: TieWeight | None
    groups: tuple[tuple[Hashable, ...], ...]
    never_compared: tuple[Hashable, ...]
    n_votes: int
    n_comparisons: int
    n_items: int
    n_prompts: int
    n_annotators: int
    images_per_vote: dict[int, int]
    ties: Ties
    level: float
    df: float | None
    method: str
    rank_method: str
    state: State
    reason: str
    interval_state: State
    interval_reason: str

    def standing(self, arm: Hashable) -> Standing:
        """The standing of one arm."""
        for one in self.standings:
            if one.arm == arm:
                return one
        known = [one.arm for one in self.standings]
        raise UnknownOptionError(f"arm is {arm!r}; these votes have {known}.")

    def pair(self, arm: Hashable, other: Hashable) -> ArmPair | None:
        """Two arms in the order in which `pairs` holds them; None where they never met."""
        wanted = {self.standing(arm).arm, self.standing(other).arm}
        return next((one for one in self.pairs if {one.arm, one.other} == wanted), None)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries and lists for JSON, under the names of the fields."""
        made: dict[str, Any] = plain(self)
        return made
