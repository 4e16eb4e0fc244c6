"""What the first place depends on: how few votes, annotators or prompts decide it.

Dropping a unit (a vote with all its pairs, an annotator, a prompt) moves the difference of two
strengths by about the unit's influence, -c'A S_u, with c the contrast, A the inverse information
and S_u the sum of the unit's scores (see `sandwich`). Units are dropped in the order of their
influence on the leader's lead over each rival, until a fit to the votes left has another leader;
the smallest such number is reported. It is an upper bound that was seen to hold: no smaller
number along this order does, another choice of units might. For two arms the order is that of the
units' leads, wins less losses, for which it is exact: the lead is a sum over units, and among sets
of r units none takes more of it than the r with the largest leads.

Reference. Broderick, Giordano and Meager (2020), arXiv:2011.14999.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import Codes
from ..votes.columns import BoolColumn, IntColumn
from ..votes.pairs import PairVotes
from .davidson import Fit, Ties, fit, fold
from .existence import usable_ties
from .gallery_results import Decider
from .sandwich import Scores, inverse_information
from .separation import layers

_NAMED = 10  # units whose ids are listed
_SAME = 1e-9  # strengths that differ less are equal but for rounding


def deciders(votes: PairVotes, fitted: Fit, ties: Ties) -> dict[str, Decider]:
    """By "votes", "annotators", "prompts", the fewest found whose removal changes the first place.

    `fitted` is the fit to all votes, with finite strengths.
    """
    search = _Search.of(votes, fitted, ties)
    columns: dict[str, tuple[Codes | IntColumn, Sequence[Hashable]]] = {
        "votes": (votes.vote, ()),
        "annotators": (votes.annotator, votes.annotators),
        "prompts": (votes.prompt, votes.prompts),
    }
    return {unit: search.decider(unit, *columns[unit]) for unit in columns}


@dataclass(frozen=True, eq=False)
class _Search:
    votes: PairVotes
    cells: Codes
    fitted: Fit
    ties: Ties
    leader: int

    @classmethod
    def of(cls, votes: PairVotes, fitted: Fit, ties: Ties) -> _Search:
        leader = int(np.argmax(fitted.strengths))
        return cls(votes, votes.cells(slice(None)), fitted, ties, leader)

    def decider(self, unit: str, codes: Codes | IntColumn, ids: Sequence[Hashable]) -> Decider:
        theta = self.fitted.strengths
        n_codes = int(codes.max()) + 1
        present = np.bincount(codes, minlength=n_codes) > 0
        if np.sum(theta > theta[self.leader] - _SAME) > 1:
            reason = "The first place is shared, so there is no leader."
            return Decider(unit=unit, state=State.NO_LEADER, reason=reason)
        best: tuple[int, IntColumn, int] | None = None
        for rival in self._rivals():
            order, expected = self._order(rival, codes, n_codes)
            limit = int(present.sum()) - 1 if best is None else best[0] - 1
            count, new = self._smallest(codes, order, expected, limit)
            if new is not None:
                best = count, order[:count], new
        if best is None:
            reason = f"Dropping {unit} that favour the leader gives no other leader."
            return Decider(unit=unit, state=State.UNBEATABLE, reason=reason)
        count, dropped, new_leader = best
        named = [ids[at] for at in dropped] if len(ids) and count <= _NAMED else []
        return Decider(
            unit=unit,
            count=count,
            share=count / int(present.sum()),
            new_leader=self.votes.arms[new_leader],
            ids=tuple(named),
            state=State.DEFINED,
            reason="",
        )

    def _rivals(self) -> list[int]:
        """The others, strongest first."""
        order = np.argsort(-self.fitted.strengths, kind="stable")
        return [int(one) for one in order if one != self.leader]

    def _order(self, rival: int, codes: Codes | IntColumn, n_codes: int) -> tuple[IntColumn, int]:
        """Units in the order to drop, and how many of them the first order asks for."""
        influence = self._influence(rival)
        by_unit = np.bincount(codes, influence[self.cells], n_codes)
        order = np.argsort(-by_unit, kind="stable")
        order = order[by_unit[order] > 0.0]
        lead = self.fitted.strengths[self.leader] - self.fitted.strengths[rival]
        reached = np.searchsorted(np.cumsum(by_unit[order]), lead, side="right")
        return order, int(reached) + 1

    def _influence(self, rival: int) -> FloatArray:
        """How much the leader's lead over the rival falls without a row of each cell."""
        m = self.votes.n_arms
        if m == 2:
            sign = 1.0 if self.leader == 0 else -1.0
            table = np.zeros((2, 2, 3))
            table[0, 1], table[1, 0] = (sign, 0.0, -sign), (-sign, 0.0, sign)
            return table.ravel()
        inverse = inverse_information(self.fitted, m)
        weight = inverse[self.leader] - inverse[rival]
        scores = Scores.of(self.votes, self.fitted)
        arms = weight[:m, None] - weight[None, :m]
        influence = scores.theta.reshape(m, m, 3) * arms[..., None]
        if scores.log_nu is not None:
            influence = influence + scores.log_nu.reshape(m, m, 3) * weight[-1]
        return np.asarray(influence.ravel(), np.float64)

    def _smallest(
        self, codes: Codes | IntColumn, order: IntColumn, expected: int, limit: int
    ) -> tuple[int, int | None]:
        """The smallest number of units, in this order, that gives another leader; and who."""
        limit = min(limit, len(order))
        place = np.full(int(codes.max()) + 1, len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        place_of_row = place[codes]

        def leader_without(count: int) -> int | None:
            return self._new_leader(place_of_row >= count)

        low, high, new = 0, min(max(expected, 1), limit), None
        while high > low and (new := leader_without(high)) is None:
            low = high
            high = min(limit, high + max(1, high // 4))
        while new is not None and high - low > 1:
            middle = (low + high) // 2
            there = leader_without(middle)
            low, high, new = (middle, high, new) if there is None else (low, middle, there)
        return high, new

    def _new_leader(self, kept: BoolColumn) -> int | None:
        """Who leads the votes kept, if it is another arm and these votes say so."""
        m = self.votes.n_arms
        table = np.bincount(self.cells[kept], minlength=m * m * 3).astype(np.float64)
        pairs = fold(table, m)
        ties, state, _ = usable_ties(pairs, self.votes.arms)
        if state is State.SEPARATED:
            above = layers(pairs).above
            alone = len(above) > 0 and len(above[0]) == 1 and int(above[0][0]) != self.leader
            return int(above[0][0]) if alone else None
        if state is not State.DEFINED:
            return None
        ties = "half" if "half" in (ties, self.ties) else ties
        found = fit(pairs, ties, start=self.fitted)
        leads = int(np.argmax(found.strengths))
        ahead = found.strengths[leads] > found.strengths[self.leader] + _SAME
        return leads if ahead and found.converged.all() else None
