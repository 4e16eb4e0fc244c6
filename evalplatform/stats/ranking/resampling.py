"""Bootstrap of a gallery's strengths: a check of `rank`, and draws for odd questions.

Votes enter as counts of (pair, outcome) per prompt, so that a replicate costs a row of a matrix
product and a few steps of Newton's method, made for many replicates at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..inference.clustering import FloatArray
from ..inference.estimates import State
from ..inference.intervals import check_level
from ..votes.chunking import chunks
from ..votes.errors import UnknownOptionError
from ..votes.pairs import Labels, PairVotes
from .davidson import PairCounts, Ties, check_ties, fit, pair_counts
from .existence import existence
from .pair_tables import Fold, defined_among

Resample = Literal["prompts", "prompts_and_annotators"]

_TOGETHER = 50  # replicates fitted at once: their matrices then stay in the processor's cache
_MAX_UNDEFINED = 0.05  # share of replicates without strengths above which there are no intervals


@dataclass(frozen=True, eq=False, kw_only=True)
class Bootstrap:
    """Strengths of a gallery in replicates of the study, see `bootstrap`.

    Attributes:
        arms: ids, in the order of the columns.
        strengths: (n_defined, M), the strengths of each replicate that has any; sum 0 by row.
        nu: (n_defined,), or None where there is no tie parameter.
        low, high: (M,) percentiles, an interval at `level`; None where undefined.
        level, resample: as asked for.
        n_replicates, n_undefined: replicates made, and those whose votes leave strengths open.
        state, reason: DEFINED, or why there are no intervals; UNSTABLE if more than 5 % of the
            replicates are undefined.
    """

    arms: Labels
    strengths: FloatArray
    nu: FloatArray | None
    low: FloatArray | None
    high: FloatArray | None
    level: float
    resample: Resample
    n_replicates: int
    n_undefined: int
    state: State
    reason: str


def bootstrap(
    votes: PairVotes,
    rng: np.random.Generator,
    level: float = 0.95,
    *,
    replicates: int = 1000,
    resample: Resample = "prompts",
    ties: Ties = "davidson",
) -> Bootstrap:
    """Refit the strengths to resampled studies.

    Formula. resample="prompts": a replicate draws as many prompts as there are, with replacement,
    each with all its votes. resample="prompts_and_annotators": prompts and annotators are both
    drawn so, and a vote counts as often as its prompt times as often as its annotator. Intervals
    are percentiles of the replicates' strengths.

    Units. Strengths in natural log units, as in `rank`.

    How to read. Neither is the interval to report; that is `rank`'s. Prompts alone are too narrow
    a base where annotators have habits: the intervals speak of other prompts judged by the same
    people. The product is too wide where a prompt has few votes by one annotator: the spread of
    single votes is counted for prompts, for annotators and for both, up to three times. No
    bootstrap is exact for crossed samples (McCullagh 2000). Use the draws to check `rank`
    between these two, or for a statistic without a formula, such as the gap between the third
    and the fourth.

    References. Efron (1979), Annals of Statistics 7:1-26; McCullagh (2000), Bernoulli 6:285-301;
    Owen and Eckles (2012), Annals of Applied Statistics 6:895-927.

    >>> votes = PairVotes.from_columns(
    ...     first=["x"] * 60, second=["y"] * 60, outcome=["A", "B", "A"] * 20,
    ...     prompt=[row // 4 for row in range(60)], annotator=[row % 7 for row in range(60)])
    >>> made = bootstrap(votes, np.random.default_rng(1), replicates=200)
    >>> made.strengths.shape, bool(made.low[0] < np.log(2) / 2 < made.high[0])
    ((200, 2), True)
    """
    check_level(level)
    check_ties(ties)
    if resample not in ("prompts", "prompts_and_annotators"):
        raise UnknownOptionError(
            f"resample is {resample!r}; accepted are 'prompts' and 'prompts_and_annotators'."
        )
    if replicates < 2:
        raise UnknownOptionError(f"replicates is {replicates}; give at least 2, better 1000.")
    result = _Replicates(votes, rng, level, replicates, resample)
    pairs = pair_counts(votes)
    state, reason = existence(pairs, votes.arms, ties)
    if state is State.DEFINED and votes.n_prompts < 2:
        state, reason = State.ONE_PROMPT, "All votes are on one prompt: no other can be drawn."
    if state is State.DEFINED and resample != "prompts" and votes.n_annotators < 2:
        reason = "All votes are by one annotator: no other can be drawn."
        state = State.ONE_ANNOTATOR
    if state is not State.DEFINED:
        return result.undefined(state, reason)
    return result.summary(pairs, ties)


@dataclass(frozen=True, eq=False)
class _Replicates:
    votes: PairVotes
    rng: np.random.Generator
    level: float
    count: int
    resample: Resample

    def undefined(self, state: State, reason: str) -> Bootstrap:
        nothing = np.empty((0, self.votes.n_arms))
        return self._made(nothing, None, state, reason)

    def summary(self, pairs: PairCounts, ties: Ties) -> Bootstrap:
        strengths, nu = self._fitted(pairs, ties)
        share = 1.0 - len(strengths) / self.count
        if share > _MAX_UNDEFINED:
            reason = (
                f"The votes of {share:.0%} of the replicates leave the strengths open; "
                f"at most {_MAX_UNDEFINED:.0%} may. More prompts cure it."
            )
            return self._made(strengths, nu, State.UNSTABLE, reason)
        return self._made(strengths, nu, State.DEFINED, "")

    def _made(
        self, strengths: FloatArray, nu: FloatArray | None, state: State, reason: str
    ) -> Bootstrap:
        low = high = None
        if state is State.DEFINED:
            tail = (1.0 - self.level) / 2.0
            low, high = np.quantile(strengths, [tail, 1.0 - tail], axis=0)
        return Bootstrap(
            arms=self.votes.arms,
            strengths=strengths,
            nu=nu,
            low=low,
            high=high,
            level=self.level,
            resample=self.resample,
            n_replicates=self.count,
            n_undefined=self.count - len(strengths),
            state=state,
            reason=reason,
        )

    def _fitted(self, pairs: PairCounts, ties: Ties) -> tuple[FloatArray, FloatArray | None]:
        """Strengths and nu of the replicates that have them."""
        modelled = pairs.with_half_ties() if ties == "half" else pairs
        whole = fit(modelled)
        fold = Fold.of(self.votes, pairs)
        strengths, nu = [np.empty((0, pairs.n_arms))], [np.empty(0)]
        for counts in self._counts(fold):
            drawn = replace(pairs, counts=counts.reshape(len(counts), -1, 3))
            defined = defined_among(drawn, pairs, self.votes, ties)
            drawn = replace(drawn, counts=drawn.counts[defined])
            if len(drawn.counts) == 0:
                continue
            fitted = fit(drawn.with_half_ties() if ties == "half" else drawn, start=whole)
            strengths.append(fitted.strengths[fitted.converged])
            if fitted.log_nu is not None:
                nu.append(np.exp(fitted.log_nu[fitted.converged]))
        has_nu = whole.log_nu is not None
        return np.concatenate(strengths), np.concatenate(nu) if has_nu else None

    def _counts(self, fold: Fold) -> Iterator[FloatArray]:
        by_prompts = self.resample == "prompts"
        for rows in chunks(self.count, _TOGETHER):
            n = rows.stop - rows.start
            prompts = _drawn(self.rng, len(self.votes.prompts), n)
            if by_prompts:
                yield fold.by_prompts(prompts)
            else:
                annotators = _drawn(self.rng, len(self.votes.annotators), n)
                yield fold.by_both(prompts, annotators)


def _drawn(rng: np.random.Generator, n: int, replicates: int) -> FloatArray:
    """How often each of n is drawn in n draws with replacement: (replicates, n)."""
    draws = rng.integers(0, n, (replicates, n))
    draws += np.arange(replicates)[:, None] * n
    counts = np.bincount(draws.ravel(), minlength=replicates * n).reshape(replicates, n)
    return counts.astype(np.float64)
