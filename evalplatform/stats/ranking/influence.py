"""Does a ranking depend on one person?"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import chunks, count_codes
from ..votes.columns import IntColumn
from ..votes.pairs import PairVotes
from .davidson import PairCounts, Ties, check_ties, fit, pair_counts
from .existence import existence
from .pair_tables import TABLE, Fold, defined_among
from .strengths import ranks_of

_TOGETHER = 50  # rankings without one annotator that are fitted at once


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
class RankRobustness:
    """How much a ranking hangs on single people, see `rank_robustness`.

    Attributes:
        ranges: one per arm, strongest first; empty where undefined.
        leader_changes: ids of annotators without whom another arm is first.
        undefined_without: ids of annotators without whom the votes leave the strengths open;
            they are not in the ranges.
        state, reason: as in `Ranking`.
    """

    ranges: tuple[RankRange, ...]
    leader_changes: tuple[Hashable, ...]
    undefined_without: tuple[Hashable, ...]
    state: State
    reason: str


def rank_robustness(votes: PairVotes, *, ties: Ties = "davidson") -> RankRobustness:
    """Rank the gallery once more without each annotator, and give the range of ranks.

    Formula. `rank`'s strengths, refitted to all votes but those of one annotator, for each.

    Units. Ranks 1 (best) to M; strengths in natural log units.

    How to read. As for `robustness`: this describes these votes. A range of 1 to 1 says that no
    single person decides who is first; `rank_sets` says what other people might.

    >>> votes = PairVotes.from_columns(
    ...     first=["x"] * 12, second=["y"] * 12, outcome=["A", "A", "B"] * 4,
    ...     prompt=range(12), annotator=["ana", "ben", "eva"] * 4)
    >>> [(one.arm, one.low, one.high) for one in rank_robustness(votes).ranges]
    [('x', 1, 1), ('y', 1, 2)]
    """
    check_ties(ties)
    pairs = pair_counts(votes)
    state, reason = existence(pairs, votes.arms, ties)
    present = np.flatnonzero(count_codes(votes.annotator, len(votes.annotators)))
    if state is State.DEFINED and len(present) < 2:
        state = State.ONE_ANNOTATOR
        reason = "All votes are by one annotator: without them there is none."
    if state is not State.DEFINED:
        return RankRobustness(
            ranges=(), leader_changes=(), undefined_without=(), state=state, reason=reason
        )
    strengths, defined = _without_each(votes, pairs, present, ties)
    left_out = [votes.annotators[at] for at in present]
    if not defined.any():
        return RankRobustness(
            ranges=(),
            leader_changes=(),
            undefined_without=tuple(left_out),
            state=State.UNSTABLE,
            reason="Whichever annotator is left out, the votes of the others leave strengths open.",
        )
    whole = fit(pairs.with_half_ties() if ties == "half" else pairs).strengths
    ranks = ranks_of(strengths)
    leader = int(np.argmax(whole))
    deposed = [
        one for one, row in zip(np.flatnonzero(defined), ranks, strict=True) if row[leader] > 1
    ]
    return RankRobustness(
        ranges=_ranges_of(votes, whole, strengths, ranks),
        leader_changes=tuple(left_out[one] for one in deposed),
        undefined_without=tuple(left_out[one] for one in np.flatnonzero(~defined)),
        state=State.DEFINED,
        reason="",
    )


def _without_each(
    votes: PairVotes, pairs: PairCounts, present: IntColumn, ties: Ties
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Strengths without each annotator present, and which of these are defined."""
    whole = fit(pairs.with_half_ties() if ties == "half" else pairs)
    folded = Fold.of(votes, pairs)
    strengths, defined = [], []
    for part in chunks(len(votes.annotators), max(1, TABLE // folded.size)):
        theirs = folded.by_code(votes.annotator, part.start, part.stop)
        theirs = theirs.reshape(-1, len(pairs.first), 3)
        theirs = theirs[present[(present >= part.start) & (present < part.stop)] - part.start]
        for rows in chunks(len(theirs), _TOGETHER):
            rest = replace(pairs, counts=pairs.counts - theirs[rows])
            fits = defined_among(rest, pairs, votes, ties)
            if fits.any():
                rest = replace(rest, counts=rest.counts[fits])
                fitted = fit(rest.with_half_ties() if ties == "half" else rest, start=whole)
                strengths.append(fitted.strengths[fitted.converged])
                fits[fits] = fitted.converged
            defined.append(fits)
    nothing = np.empty((0, votes.n_arms))
    return np.concatenate([nothing, *strengths]), np.concatenate(defined)


def _ranges_of(
    votes: PairVotes, whole: FloatArray, strengths: FloatArray, ranks: IntColumn
) -> tuple[RankRange, ...]:
    place = ranks_of(whole)
    return tuple(
        RankRange(
            arm=votes.arms[at],
            rank=int(place[at]),
            low=min(int(ranks[:, at].min()), int(place[at])),
            high=max(int(ranks[:, at].max()), int(place[at])),
            strength=float(whole[at]),
            strength_low=float(strengths[:, at].min()),
            strength_high=float(strengths[:, at].max()),
        )
        for at in np.lexsort((np.arange(len(whole)), place))
    )
