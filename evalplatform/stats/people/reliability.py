"""Do annotators agree with each other on the same item?

All reads per-item counts of outcomes, never a raters x items grid: who gave which of the k votes
does not matter here, and the table has three columns however many people voted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference.clustering import outcome_table
from ..inference.intervals import check_level
from ..votes.columns import Votes
from .chance_correction import AC1, ALPHA_NOMINAL, ALPHA_ORDINAL, FLEISS, PERCENT
from .item_draws import BOOTSTRAP_SEED, AgreementEstimate, Draws, check_replicates, estimate


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement on the items that have at least two votes, see `agreement`.

    Attributes:
        percent: chance that two votes on one item agree, averaged over items; in [0, 1].
        fleiss_kappa, alpha, alpha_ordinal, gwet_ac1: Fleiss' kappa, Krippendorff's nominal and
            ordinal alpha (A < tie < B) and Gwet's AC1; 1 is perfect, 0 is chance, below 0 is
            systematic disagreement.
        n_items, n_votes: items with two or more votes, and their votes.
        level: nominal coverage of the intervals.
        method: how the intervals were made, with the seed if it is ours.
    """

    percent: AgreementEstimate
    fleiss_kappa: AgreementEstimate
    alpha: AgreementEstimate
    alpha_ordinal: AgreementEstimate
    gwet_ac1: AgreementEstimate
    n_items: int
    n_votes: int
    level: float
    method: str


def agreement(
    votes: Votes,
    *,
    rng: np.random.Generator | None = None,
    replicates: int = 1000,
    level: float = 0.95,
) -> Agreement:
    """Percent agreement, Fleiss' kappa, Krippendorff's alphas and Gwet's AC1, with intervals.

    Formula. See `chance_correction`. Items with one vote say nothing of agreement and are left
    out of all.

    Interval. Items are drawn again with replacement, prompts being the usual item, and the
    percentiles of each coefficient are taken, of the same draws for all. Items with the same
    counts are one class, so a replicate is one multinomial draw over classes: 21 classes for five
    votes of three outcomes, however many items. `rng` gives the draws; without it they come from
    `BOOTSTRAP_SEED`, so that the same votes have the same interval.

    How to read. In preference voting a low alpha is no fault of the annotators: two good images
    divide people. Compare campaigns by it; do not hold it to a threshold made for content coding.
    Percent agreement is high whenever one outcome is common; kappa and alpha take that out, at
    times too much, and AC1 is the answer to that. Ordinal alpha counts A against B as more of a
    disagreement than A against a tie. Intervals take items as independent and the annotators as
    given: they do not speak of other annotators.

    Where all votes are one outcome there is nothing to tell agreement from chance: kappa and alpha
    are undefined (ONE_CATEGORY), not 1.

    References. Fleiss (1971), Psychological Bulletin 76:378-382; Krippendorff (2011), Computing
    Krippendorff's alpha-reliability; Hayes and Krippendorff (2007), Communication Methods and
    Measures 1:77-89; Gwet (2008), British Journal of Mathematical and Statistical Psychology
    61:29-48.

    >>> votes = Votes(outcome=[0, 0, 0, 2, 2, 2, 0, 2], prompt=[1, 1, 2, 2, 3, 3, 4, 4],
    ...               annotator=[1, 2] * 4, item=[1, 1, 2, 2, 3, 3, 4, 4])
    >>> result = agreement(votes, rng=np.random.default_rng(7))
    >>> result.percent.value, round(result.alpha.value, 3), round(result.gwet_ac1.value, 3)
    (0.5, 0.125, 0.333)
    >>> result.alpha.interval_state.value
    'defined'
    """
    check_level(level)
    check_replicates(replicates)
    counts = outcome_table(votes.by_item, votes.outcome)
    counts = counts[counts.sum(axis=1) >= 2]
    seed = "" if rng is not None else f", seed {BOOTSTRAP_SEED}"
    draws = Draws.of(counts, rng or np.random.default_rng(BOOTSTRAP_SEED), replicates)
    return Agreement(
        percent=estimate(PERCENT, draws, level),
        fleiss_kappa=estimate(FLEISS, draws, level),
        alpha=estimate(ALPHA_NOMINAL, draws, level),
        alpha_ordinal=estimate(ALPHA_ORDINAL, draws, level),
        gwet_ac1=estimate(AC1, draws, level),
        n_items=len(counts),
        n_votes=int(counts.sum()),
        level=level,
        method=f"percentile bootstrap of items, taken as independent; {replicates} draws{seed}",
    )
