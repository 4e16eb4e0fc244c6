"""Do annotators agree with each other on the same item?

All functions read per-item counts of outcomes, never a raters x items grid: who gave which of the
k votes does not matter here, and the table has three columns however many people voted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clustering import FloatArray, outcome_table
from .errors import UnknownOptionError
from .estimates import State
from .intervals import check_level
from .votes import Votes, group

_MAX_UNDEFINED = 0.05  # share of replicates without two categories beyond which no interval holds


@dataclass(frozen=True)
class Agreement:
    """Agreement on the items that have at least two votes, see `agreement`.

    Attributes:
        percent: chance that two votes on one item agree, averaged over items; in [0, 1].
        alpha: Krippendorff's nominal alpha; 1 is perfect, 0 is chance, below 0 is systematic
            disagreement.
        low, high: bootstrap interval of alpha at `level`.
        n_items, n_votes: items with two or more votes, and their votes.
        n_replicates: bootstrap replicates with a defined alpha.
        method: how the interval was made.
        state, reason: why alpha (or, with NO_SHARED_ITEMS, both numbers) has no value.
        interval_state, interval_reason: why the interval has no values.
    """

    percent: float | None
    alpha: float | None
    low: float | None
    high: float | None
    level: float
    n_items: int
    n_votes: int
    n_replicates: int
    method: str
    state: State
    reason: str
    interval_state: State
    interval_reason: str


@dataclass(frozen=True)
class _Interval:
    low: float | None
    high: float | None
    n_replicates: int
    state: State
    reason: str


def agreement(
    votes: Votes,
    *,
    rng: np.random.Generator | None = None,
    replicates: int = 1000,
    level: float = 0.95,
) -> Agreement:
    """Percent agreement and Krippendorff's nominal alpha, with a bootstrap interval for alpha.

    Formula. For an item with counts n_c of its m votes, votes agree with chance
    sum_c n_c (n_c - 1) / (m (m - 1)); `percent` is its plain mean over items. For alpha see
    `nominal_alpha`. Items with one vote say nothing of agreement and are left out of both.

    Interval. Items are drawn again with replacement and the percentiles of alpha are taken. Items
    with the same counts are one class, so a replicate is one multinomial draw over classes. It
    needs `rng`; without it there is no interval and the state says so.

    How to read. In preference voting a low alpha is no fault of the annotators: two good images
    divide people. Compare campaigns by it; do not hold it to a threshold made for content coding.
    Percent agreement is high whenever one outcome is common; alpha takes that out. The interval
    takes items as independent and the annotators as given.

    Where all votes are one outcome there is nothing to tell agreement from chance: alpha is
    undefined (ONE_CATEGORY), not 1.

    References. Krippendorff (2011), Computing Krippendorff's alpha-reliability; Hayes and
    Krippendorff (2007), Communication Methods and Measures 1:77-89.

    >>> votes = Votes(outcome=[0, 0, 0, 2, 2, 2, 0, 2], prompt=[1, 1, 2, 2, 3, 3, 4, 4],
    ...               annotator=[1, 2] * 4, item=[1, 1, 2, 2, 3, 3, 4, 4])
    >>> result = agreement(votes, rng=np.random.default_rng(7))
    >>> result.percent, round(result.alpha, 3)
    (0.5, 0.125)
    """
    check_level(level)
    if replicates < 1:
        raise UnknownOptionError(f"replicates is {replicates}; give at least 1, e.g. 1000.")
    counts = outcome_table(votes.by_item, votes.outcome)
    counts = counts[counts.sum(axis=1) >= 2]
    alpha, state, reason = _alpha_or_reason(counts)
    interval = _bootstrap_interval(counts, state, reason, rng, replicates, level)
    return Agreement(
        percent=percent_agreement(counts),
        alpha=alpha,
        low=interval.low,
        high=interval.high,
        level=level,
        n_items=len(counts),
        n_votes=int(counts.sum()),
        n_replicates=interval.n_replicates,
        method="percentile bootstrap of items, taken as independent",
        state=state,
        reason=reason,
        interval_state=interval.state,
        interval_reason=interval.reason,
    )


def percent_agreement(counts: FloatArray) -> float | None:
    """Mean over items of the chance that two of the item's votes agree; None without such items.

    `counts` is items x categories; items with fewer than two votes are left out.

    >>> percent_agreement(np.array([[2.0, 0.0], [1.0, 1.0]]))
    0.5
    """
    size = counts.sum(axis=1)
    shared = size >= 2
    if not shared.any():
        return None
    size, agreeing = size[shared], (counts * (counts - 1.0)).sum(axis=1)[shared]
    return float(np.mean(agreeing / (size * (size - 1.0))))


def nominal_alpha(counts: FloatArray) -> float | None:
    """Krippendorff's nominal alpha from items x categories counts; None if undefined.

    Formula. Over items u with m_u >= 2 votes, n votes in all and N_c of them in category c:

        alpha = 1 - (n - 1) * sum_u (m_u^2 - sum_c n_uc^2) / (m_u - 1) / (n^2 - sum_c N_c^2)

    that is 1 - observed / expected disagreement, the expected one from pairing all votes at random.
    Undefined when no item has two votes, or when all votes are one category.

    >>> round(nominal_alpha(np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])), 3)
    0.444
    """
    shared = counts[counts.sum(axis=1) >= 2]
    alpha = _alphas(np.ones((1, len(shared))), shared)
    return float(alpha[0]) if len(alpha) else None


def _alphas(weights: FloatArray, counts: FloatArray) -> FloatArray:
    """Alpha of each row of `weights` (how often each row of `counts` occurs), undefined left out.

    For r replicates and c classes of items: weights r x c, counts c x categories.
    """
    size = counts.sum(axis=1)
    disagreement = (size**2 - (counts**2).sum(axis=1)) / (size - 1.0)
    n = weights @ size
    expected = n**2 - ((weights @ counts) ** 2).sum(axis=1)
    defined = expected > 0.0
    observed = (weights @ disagreement)[defined]
    alphas: FloatArray = 1.0 - (n[defined] - 1.0) * observed / expected[defined]
    return alphas


def _alpha_or_reason(counts: FloatArray) -> tuple[float | None, State, str]:
    if len(counts) == 0:
        return None, State.NO_SHARED_ITEMS, "No item has two votes, so no two votes can agree."
    alpha = nominal_alpha(counts)
    if alpha is None:
        reason = "All votes are one outcome, so agreement cannot be told from chance."
        return None, State.ONE_CATEGORY, reason
    return alpha, State.DEFINED, ""


def _bootstrap_interval(
    counts: FloatArray,
    state: State,
    reason: str,
    rng: np.random.Generator | None,
    replicates: int,
    level: float,
) -> _Interval:
    if state is State.DEFINED:
        state, reason = _why_no_bootstrap(counts, rng)
    if state is not State.DEFINED or rng is None:
        return _Interval(None, None, 0, state, reason)
    alphas = bootstrap_alphas(counts, rng, replicates)
    if len(alphas) < (1.0 - _MAX_UNDEFINED) * replicates:
        reason = f"Only {len(alphas)} of {replicates} replicates hold two outcomes."
        return _Interval(None, None, len(alphas), State.UNSTABLE, reason)
    low, high = np.quantile(alphas, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return _Interval(float(low), float(high), len(alphas), State.DEFINED, "")


def _why_no_bootstrap(counts: FloatArray, rng: np.random.Generator | None) -> tuple[State, str]:
    if rng is None:
        return State.NO_RNG, "An interval needs random draws: give rng, with a seed to store."
    if len(counts) < 2:
        return State.ONE_ITEM, "Only one item has two votes: nothing tells of other items."
    if np.count_nonzero(counts, axis=1).max() == 1:
        reason = "No item shows any disagreement, so drawing items again shows no spread."
        return State.NO_VARIATION, reason
    return State.DEFINED, ""


def bootstrap_alphas(counts: FloatArray, rng: np.random.Generator, replicates: int) -> FloatArray:
    """Alpha of each bootstrap replicate of the items; replicates of one category are left out.

    Every row of `counts` must be an item with two or more votes. Items with equal counts are
    exchangeable, so how often each class of items is drawn is multinomial: five votes with three
    outcomes make 21 classes, whatever the number of items.
    """
    classes, members = _classes(counts)
    drawn = rng.multinomial(len(counts), members / len(counts), size=replicates)
    return _alphas(drawn.astype(np.float64), classes)


def _classes(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distinct rows of `counts` and how many items have each, in linear time."""
    columns = [group(column.astype(np.int64)) for column in counts.T]
    rows = columns[0]
    for column in columns[1:]:
        rows = group(rows.codes * column.count + column.codes)
    classes = np.empty((rows.count, counts.shape[1]))
    classes[rows.codes] = counts
    return classes, np.bincount(rows.codes).astype(np.float64)
