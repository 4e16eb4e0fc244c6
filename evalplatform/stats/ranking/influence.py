"""Does a ranking depend on one person, or on the prompts drawn?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..votes.chunking import chunks, count_codes
from ..votes.columns import BoolColumn, IntColumn
from ..votes.pairs import PairVotes
from .davidson import Fit, PairCounts, Ties, pair_counts
from .gallery_results import RankingRobustness, RankRange
from .pair_tables import TABLE, Fold, fit_each
from .strengths import ranks_of

_TOGETHER = 50  # studies fitted at once: their matrices then stay in the processor's cache


def leave_one_out(votes: PairVotes, fitted: Fit, ties: Ties) -> RankingRobustness:
    """Rank the gallery once more without each annotator, and give the range of ranks.

    Formula. The strengths of `fitted`, the fit to all votes, made again from all votes but those
    of one annotator, for each.

    How to read. This describes these votes; it is no test. A range of 1 to 1 says that no single
    person decides who is first; `rank_sets` says what other people might.
    """
    present = np.flatnonzero(count_codes(votes.annotator, len(votes.annotators)))
    if len(present) < 2:
        reason = "All votes are by one annotator: without them there is none."
        return RankingRobustness(state=State.ONE_ANNOTATOR, reason=reason)
    strengths, defined = _without_each(votes, pair_counts(votes), fitted, present, ties)
    left_out = [votes.annotators[at] for at in present]
    if not defined.any():
        return RankingRobustness(
            undefined_without=tuple(left_out),
            state=State.UNSTABLE,
            reason="Whichever annotator is left out, the votes of the others leave strengths open.",
        )
    ranks = ranks_of(strengths)
    leader = int(np.argmax(fitted.strengths))
    deposed = np.flatnonzero(defined)[ranks[:, leader] > 1]
    return RankingRobustness(
        without_each_annotator=_ranges_of(votes, fitted.strengths, strengths, ranks),
        leader_changes_without=tuple(left_out[one] for one in deposed),
        undefined_without=tuple(left_out[one] for one in np.flatnonzero(~defined)),
        state=State.DEFINED,
        reason="",
    )


def _without_each(
    votes: PairVotes, pairs: PairCounts, fitted: Fit, present: IntColumn, ties: Ties
) -> tuple[FloatArray, BoolColumn]:
    """Strengths without each annotator present, and which of these are defined."""
    folded = Fold.of(votes, pairs)
    strengths, defined = [], []
    for part in chunks(len(votes.annotators), max(1, TABLE // folded.size)):
        theirs = folded.by_code(votes.annotator, part.start, part.stop)
        theirs = theirs.reshape(-1, len(pairs.first), 3)
        theirs = theirs[present[(present >= part.start) & (present < part.stop)] - part.start]
        for rows in chunks(len(theirs), _TOGETHER):
            rest = replace(pairs, counts=pairs.counts - theirs[rows])
            found, fits = fit_each(rest, pairs, votes, ties, fitted)
            strengths.append(found)
            defined.append(fits)
    return np.concatenate(strengths), np.concatenate(defined)


def redrawn_strengths(
    votes: PairVotes, fitted: Fit, rng: np.random.Generator, *, replicates: int, ties: Ties
) -> FloatArray:
    """Strengths (n_defined, M) of studies with other prompts, of those that have any.

    A replicate draws as many prompts as there are, with replacement, each with all its votes. Its
    spread is that of other prompts judged by the same people: no interval for other people.

    References. Efron (1979), Annals of Statistics 7:1-26; McCullagh (2000), Bernoulli 6:285-301.
    """
    pairs = pair_counts(votes)
    folded, n = Fold.of(votes, pairs), len(votes.prompts)
    strengths = [np.empty((0, pairs.n_arms))]
    for rows in chunks(replicates, _TOGETHER):
        count = rows.stop - rows.start
        drawn = rng.integers(0, n, (count, n)) + np.arange(count)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
        counts = folded.by_prompts(times.astype(np.float64)).reshape(count, -1, 3)
        redrawn = replace(pairs, counts=counts)
        strengths.append(fit_each(redrawn, pairs, votes, ties, fitted)[0])
    return np.concatenate(strengths)


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
