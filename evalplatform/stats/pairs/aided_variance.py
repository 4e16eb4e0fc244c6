"""The mean of votes moved by a reward, its variance, and how much of the reward to take.

See `aided.aided_rates` for the formulas and their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from ..inference.clustering import FloatArray, Ratio, cluster_sums
from ..inference.effective_votes import Clustering, Differing, EffectiveVotes, crossed
from ..inference.estimates import Basis, Estimate
from ..inference.intervals import net_interval, null_error, t_quantile, wilson
from ..votes.columns import Groups, Votes


@dataclass(frozen=True, eq=False)
class AidedMean:
    """Votes with what is predicted of their prompts.

    Attributes:
        votes: people's; f: (V,) predicted of each vote's prompt, less the mean of the rest.
        rest_variance: of the mean of f over the prompts without votes.
        n_rest: how many these are.
        tuning: lambda of every prompt, or None: estimated, for each from the others.
    """

    votes: Votes
    f: FloatArray
    rest_variance: float
    n_rest: int
    tuning: float | None

    @classmethod
    def of(
        cls, votes: Votes, f: FloatArray, rest: FloatArray, tuning: float | None = None
    ) -> AidedMean:
        variance = float(rest.var(ddof=1)) / len(rest)
        return cls(votes, f - rest.mean(), variance, len(rest), tuning)

    def tunings(self, y: FloatArray) -> FloatArray:
        """(P,) lambda of each prompt with votes."""
        groups = self.votes.by_prompt
        if self.tuning is not None:
            return np.full(groups.count, self.tuning)
        return _slopes_without_each(y, self.f, groups, self.rest_variance)


def aided_estimate(ratio: Ratio, alone: Estimate, mean: AidedMean) -> tuple[Estimate, float]:
    """One share with the reward, and the mean lambda over votes; `alone` has an interval."""
    votes = mean.votes
    y = np.array(ratio.value)[votes.outcome]
    by_prompt = mean.tunings(y)
    of_vote = by_prompt[votes.by_prompt.codes]
    tuning = float(of_vote.mean())
    moved = y - of_vote * mean.f
    value = float(moved.mean())
    total = np.bincount(votes.outcome, minlength=3).astype(np.float64)
    worth = _worth(ratio, total, moved - value, mean, tuning)
    return _wrapped(ratio, value, total, worth, alone), tuning


def _slopes_without_each(
    y: FloatArray, f: FloatArray, groups: Groups, rest_variance: float
) -> FloatArray:
    """The lambda that all prompts but one give, for each: weighted sums less the one's own."""
    y = y - y.mean()
    f = f - f.mean()
    n = cluster_sums(groups)
    sum_y, sum_f = cluster_sums(groups, y), cluster_sums(groups, f)

    def others(each: FloatArray) -> FloatArray:
        left: FloatArray = each.sum() - each
        return left

    size = others(n)
    mean_y, mean_f = others(sum_y) / size, others(sum_f) / size
    squared, with_y, with_f = others(n * n), others(n * sum_y), others(n * sum_f)
    product = others(sum_y * sum_f) - mean_f * with_y - mean_y * with_f + mean_y * mean_f * squared
    square = others(sum_f**2) - 2.0 * mean_f * with_f + mean_f**2 * squared
    spread = np.maximum(square, 0.0) + size**2 * rest_variance
    slopes: FloatArray = np.where(spread > 0.0, product / np.where(spread > 0.0, spread, 1.0), 0.0)
    return slopes


def _worth(
    ratio: Ratio, total: FloatArray, residual: FloatArray, mean: AidedMean, tuning: float
) -> EffectiveVotes:
    """For how many independent votes the estimate counts."""
    votes = mean.votes
    differing = Differing.of(ratio, total, votes.by_pair.count)
    scores = residual / len(votes)
    prompts, annotators = (
        Clustering.scored(cluster_sums(groups, scores), cluster_sums(groups))
        for groups in (votes.by_prompt, votes.by_annotator)
    )
    pairs = cluster_sums(votes.by_pair, scores)
    by_pair = float(pairs @ pairs) * len(pairs) / (len(pairs) - 1.0)
    worth = crossed(differing, prompts, annotators, by_pair)
    rest = tuning**2 * mean.rest_variance
    if rest == 0.0 or differing.spread == 0.0:
        return worth
    of_votes, of_rest = 1.0 / worth.number, rest / differing.spread
    whole = of_votes + of_rest
    df = whole**2 / (of_votes**2 / worth.df + of_rest**2 / (mean.n_rest - 1.0))
    return EffectiveVotes(1.0 / whole, df, worth.assumed)


def _wrapped(
    ratio: Ratio, value: float, total: FloatArray, worth: EffectiveVotes, alone: Estimate
) -> Estimate:
    """The estimate with the interval that `estimates.estimate_of` gives to votes alone."""
    least = -1.0 if ratio.is_signed else 0.0
    value = min(max(value, least), 1.0)
    quantile = t_quantile(alone.level, worth.df)
    se_null = None
    if ratio.is_signed:
        decided = max(float(total[[0, 2]].sum() / total.sum()), abs(value))
        low, high = net_interval(value, decided, worth.number, quantile)
        se_null = null_error(decided, worth.number, quantile)
        form = "score interval with n_effective = spread / V"
    else:
        low, high = wilson(value, worth.number, quantile)
        form = "Wilson interval with n_effective = p(1-p)/V"
    basis = Basis(
        n_votes=alone.n_votes,
        n_prompts=alone.n_prompts,
        n_annotators=alone.n_annotators,
        estimand=alone.estimand,
        level=alone.level,
    )
    return Estimate(
        value=value,
        se=sqrt(ratio.spread(total) / worth.number),
        low=low,
        high=high,
        df=worth.df,
        se_null=se_null,
        n_effective=worth.number,
        design_effect=(alone.n_votes - 1.0) / worth.number,
        method=(
            "votes and a reward: prediction-powered, lambda of each prompt from the others; "
            "two-way clustered by prompt and annotator; "
            f"{form}; t with {worth.df:.4g} df (Satterthwaite){worth.note}"
        ),
        **vars(basis),
    )
