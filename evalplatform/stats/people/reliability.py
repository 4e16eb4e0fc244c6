"""Do annotators agree with each other on the same item?

All reads per-item counts of outcomes, never a raters x items grid: who gave which of the k votes
does not matter here, and the table has three columns however many people voted.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ..inference.clustering import FloatArray, outcome_table
from ..inference.estimates import State
from ..inference.intervals import check_level
from ..votes.columns import Votes, group
from ..votes.errors import UnknownOptionError
from .chance_correction import (
    AC1,
    ALPHA_NOMINAL,
    ALPHA_ORDINAL,
    FLEISS,
    PERCENT,
    Coefficient,
    shared_items,
)

BOOTSTRAP_SEED = 20_230_927
"""The seed drawn from where a caller gives no generator: same votes, same interval."""

_MAX_UNDEFINED = 0.05  # share of replicates without two categories beyond which no interval holds


@dataclass(frozen=True, kw_only=True)
class AgreementEstimate:
    """One coefficient of agreement with its bootstrap interval.

    Attributes:
        value: the coefficient, see `chance_correction`; None if undefined.
        low, high: percentile interval at the level of the `Agreement`; None without one.
        n_replicates: bootstrap replicates in which the coefficient is defined.
        state, reason: why the coefficient has no value.
        interval_state, interval_reason: why the interval has no values.
    """

    value: float | None
    low: float | None
    high: float | None
    n_replicates: int
    state: State
    reason: str
    interval_state: State
    interval_reason: str


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

    Formula. See `percent_agreement`, `fleiss_kappa`, `nominal_alpha`, `ordinal_alpha` and
    `gwet_ac1`. Items with one vote say nothing of agreement and are left out of all.

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
    if not isinstance(replicates, Integral) or replicates < 1:
        raise UnknownOptionError(f"replicates is {replicates!r}; give a whole number, e.g. 1000.")
    counts = shared_items(outcome_table(votes.by_item, votes.outcome))
    seed = "" if rng is not None else f", seed {BOOTSTRAP_SEED}"
    draws = _Draws.of(counts, rng or np.random.default_rng(BOOTSTRAP_SEED), replicates)
    return Agreement(
        percent=_estimate(PERCENT, draws, level),
        fleiss_kappa=_estimate(FLEISS, draws, level),
        alpha=_estimate(ALPHA_NOMINAL, draws, level),
        alpha_ordinal=_estimate(ALPHA_ORDINAL, draws, level),
        gwet_ac1=_estimate(AC1, draws, level),
        n_items=len(counts),
        n_votes=int(counts.sum()),
        level=level,
        method=f"percentile bootstrap of items, taken as independent; {replicates} draws{seed}",
    )


@dataclass(frozen=True)
class _Draws:
    """The distinct rows of counts, how many items have each, and how often each is drawn."""

    classes: FloatArray
    members: FloatArray
    drawn: FloatArray  # replicates x classes

    @classmethod
    def of(cls, counts: FloatArray, rng: np.random.Generator, replicates: int) -> _Draws:
        if not len(counts):
            return cls(counts, np.zeros(0), np.zeros((replicates, 0)))
        classes, members = _classes(counts)
        drawn = rng.multinomial(len(counts), members / len(counts), size=replicates)
        return cls(classes, members, drawn.astype(np.float64))


def _estimate(coefficient: Coefficient, draws: _Draws, level: float) -> AgreementEstimate:
    if not len(draws.classes):
        return _undefined(
            State.NO_SHARED_ITEMS, "No item has two votes, so no two votes can agree."
        )
    values = coefficient.of_many(draws.members[None, :], draws.classes)
    if not len(values):
        return _undefined(
            State.ONE_CATEGORY,
            "All votes are one outcome, so agreement cannot be told from chance.",
        )
    replicates = coefficient.of_many(draws.drawn, draws.classes)
    state, reason = _why_no_interval(replicates, draws)
    low, high = None, None
    if state is State.DEFINED:
        bounds = np.quantile(replicates, [0.5 - level / 2.0, 0.5 + level / 2.0])
        low, high = float(bounds[0]), float(bounds[1])
    return AgreementEstimate(
        value=float(values[0]),
        low=low,
        high=high,
        n_replicates=len(replicates),
        state=State.DEFINED,
        reason="",
        interval_state=state,
        interval_reason=reason,
    )


def _undefined(state: State, reason: str) -> AgreementEstimate:
    return AgreementEstimate(
        value=None,
        low=None,
        high=None,
        n_replicates=0,
        state=state,
        reason=reason,
        interval_state=state,
        interval_reason=reason,
    )


def _why_no_interval(replicates: FloatArray, draws: _Draws) -> tuple[State, str]:
    if draws.members.sum() < 2:
        return State.ONE_ITEM, "Only one item has two votes: nothing tells of other items."
    if not len(replicates) or np.ptp(replicates) < 1e-12:
        reason = "Every draw of the items shows the same agreement, so there is no spread to read."
        return State.NO_VARIATION, reason
    if len(replicates) < (1.0 - _MAX_UNDEFINED) * len(draws.drawn):
        reason = f"Only {len(replicates)} of {len(draws.drawn)} replicates hold two outcomes."
        return State.UNSTABLE, reason
    return State.DEFINED, ""


def _classes(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distinct rows of `counts` and how many items have each, in linear time."""
    columns = [group(column.astype(np.int64)) for column in counts.T]
    rows = columns[0]
    for column in columns[1:]:
        rows = group(rows.codes * column.count + column.codes)
    classes = np.empty((rows.count, counts.shape[1]))
    classes[rows.codes] = counts
    return classes, np.bincount(rows.codes).astype(np.float64)
