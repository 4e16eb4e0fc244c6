"""Is the preference in one campaign stronger than in another?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from ..inference.clustering import FloatArray, outcome_table, score_divisors
from ..inference.estimates import Estimate, State
from ..inference.intervals import check_level, t_p_value, t_quantile
from ..votes.chunking import Codes, column_sums, count_codes, positions, row_sums
from ..votes.columns import Groups, IntColumn, Outcome, Votes, group
from .rates import NET, net_of

_NO_VARIATION = 1e-12


@dataclass(frozen=True, kw_only=True)
class NetDifference:
    """The net preference of one campaign less that of another, see `compare_nets`.

    Attributes:
        value: first net - second net, in [-2, 2]; None where either has no interval.
        se, low, high, t, df, p_value: its standard error, interval and two-sided test of 0.
        first, second: the nets, each with its own interval.
        n_shared_prompts, n_shared_annotators: prompts and annotators in both.
        level, method: of the interval.
        state, reason: why there are no values. With NO_VARIATION the value stands alone.
    """

    value: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    t: float | None = None
    df: float | None = None
    p_value: float | None = None
    first: Estimate
    second: Estimate
    n_shared_prompts: int
    n_shared_annotators: int
    level: float
    method: str = (
        "two-way clustered by prompt and annotator over both campaigns; t interval with one "
        "vote more for A and one for B in each"
    )
    state: State = State.DEFINED
    reason: str = ""


def compare_nets(
    first: Votes,
    second: Votes,
    level: float = 0.95,
    *,
    names: tuple[str, str] = ("first campaign", "second campaign"),
    nets: tuple[Estimate, Estimate] | None = None,
) -> NetDifference:
    """Estimate the difference of the nets of two campaigns, shared prompts and people counted.

    Ids must mean the same in both: prompt 7 of one is prompt 7 of the other, and so for
    annotators. Items are not compared. `names` is what reasons call the two; `nets`
    are their nets where these are known.

    Formula. d = net_1 - net_2. Each vote's linearised score is (y - net_1) / n_1 in the first and
    -(y - net_2) / n_2 in the second, y = 1, 0, -1 for A, tie, B. V = max(Vp + Va - Vpa, Vp, Va)
    sums scores within prompts, annotators and both over the two campaigns together, so what a
    shared prompt or person adds to both nets cancels in d; clusters are corrected for their size
    as in `clustering`. The interval takes of it only what sharing changes, V / (V_1 + V_2), and
    makes the variance of each net anew from the independent votes it is worth (`win_rates`), with
    one vote more for A and one for B, as Agresti and Caffo do for shares: a campaign of twelve
    wins in twelve is not certain. Centre and variance are those of the nets so drawn in; t
    quantiles with the fewer degrees of freedom of the two nets.

    How to read. Above 0, the preference for A is stronger in the first. Two campaigns on the same
    prompts by the same people have a narrower interval than their two nets suggest; two that share
    nothing have V_1 + V_2. Do not judge by whether two intervals overlap.

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Agresti and Caffo (2000),
    American Statistician 54:280-288.

    >>> one = Votes([0, 0, 1, 2, 0, 0], [1, 1, 2, 2, 3, 3], [1, 2] * 3, [1, 1, 2, 2, 3, 3])
    >>> same = compare_nets(one, one)
    >>> same.value, same.state.value, same.n_shared_prompts, same.n_shared_annotators
    (0.0, 'no_variation', 3, 2)
    """
    check_level(level)
    nets = nets or (net_of(first, level), net_of(second, level))
    about = NetDifference(
        first=nets[0],
        second=nets[1],
        n_shared_prompts=_n_shared(first.prompt, second.prompt),
        n_shared_annotators=_n_shared(first.annotator, second.annotator),
        level=level,
    )
    for name, net in zip(names, nets, strict=True):
        if not net.has_interval:
            return replace(about, state=net.state, reason=f"In the {name}: {net.reason}")
    return _estimated(first, second, about)


def _n_shared(one: IntColumn, other: IntColumn) -> int:
    """How many ids are in both."""
    codes, ids = positions(one, other)
    first, second = (count_codes(each, len(ids)) > 0 for each in codes)
    return int(np.count_nonzero(first & second))


def _estimated(first: Votes, second: Votes, about: NetDifference) -> NetDifference:
    one, other = _Drawn.of(first, about.first), _Drawn.of(second, about.second)
    value = one.net - other.net
    apart = _variance(first, second, together=False)
    kept = _variance(first, second, together=True) / apart if apart > _NO_VARIATION else 1.0
    if kept <= _NO_VARIATION:
        reason = "The difference is the same for every prompt and annotator, so it has no spread."
        return replace(about, value=value, state=State.NO_VARIATION, reason=reason)
    df = min(one.df, other.df)
    se = sqrt(kept * (one.variance + other.variance))
    centre = one.centre - other.centre
    half = t_quantile(about.level, df) * se
    return replace(
        about,
        value=value,
        se=se,
        low=max(-2.0, min(value, centre - half)),
        high=min(2.0, max(value, centre + half)),
        t=centre / se,
        df=df,
        p_value=t_p_value(centre / se, df),
    )


@dataclass(frozen=True)
class _Drawn:
    """A net, and what it and its variance become with one vote more for A and one for B."""

    net: float
    centre: float
    variance: float
    df: float

    @classmethod
    def of(cls, votes: Votes, net: Estimate) -> _Drawn:
        assert net.value is not None
        assert net.n_effective is not None
        assert net.df is not None
        n = net.n_effective
        decided = float(np.count_nonzero(votes.outcome != Outcome.TIE)) / len(votes)
        centre = net.value * n / (n + 2.0)
        spread = (decided * n + 2.0) / (n + 2.0) - centre**2
        return cls(net.value, centre, spread / (n + 2.0), net.df)


def _variance(first: Votes, second: Votes, *, together: bool) -> float:
    """V of the difference, with the clusters that both share counted as one, or as two."""
    prompts = _common(first.prompt, second.prompt, together)
    people = _common(first.annotator, second.annotator, together)
    pairs = group(prompts * (int(people.max()) + 1) + people).codes
    prompt, annotator, both = (
        _clustered(first, second, codes) for codes in (prompts, people, pairs)
    )
    return max(prompt + annotator - both, prompt, annotator)


def _common(one: IntColumn, other: IntColumn, together: bool) -> Codes:
    """Codes of the ids of both, in one column; the same id twice is one code or two."""
    first, second = group(one), group(other)
    if not together:
        return np.concatenate([first.codes, second.codes + first.count])
    return group(np.concatenate([one, other])).codes


def _clustered(first: Votes, second: Votes, codes: Codes) -> float:
    """Sum over clusters of the squared sum of scores; `codes` has the votes of both in turn."""
    count = int(codes.max()) + 1
    parts = codes[: len(first)], codes[len(first) :]
    scores = _scores(first, parts[0], count) - _scores(second, parts[1], count)
    return float(scores @ scores)


def _scores(votes: Votes, codes: Codes, n_clusters: int) -> FloatArray:
    """Each cluster's score of net, over the root of its divisor (see `clustering`)."""
    table = outcome_table(Groups(codes, n_clusters), votes.outcome)
    size = row_sums(table)
    held = size > 0.0
    scores = np.zeros(n_clusters)
    scores[held] = NET.scores(table[held], column_sums(table))
    if np.count_nonzero(held) > 1:
        scores[held] /= np.sqrt(score_divisors(size[held]))
    return scores
