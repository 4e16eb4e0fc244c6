"""Is the preference in one campaign stronger than in another?"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from .clustering import FloatArray, outcome_table
from .estimates import Estimate, State
from .intervals import check_level, t_p_value, t_quantile
from .rates import NET, win_rates
from .votes import Groups, IntColumn, Votes, group

_NO_VARIATION = 1e-12


@dataclass(frozen=True, kw_only=True)
class NetDifference:
    """The net preference of one campaign less that of another, see `compare_nets`.

    Attributes:
        value: first net - second net, in [-2, 2]; None if undefined.
        se, low, high, t, df, p_value: its standard error, interval and two-sided test of 0.
        first, second: the nets, each with its own interval.
        n_shared_prompts, n_shared_annotators: prompts and annotators in both.
        level, method: of the interval.
        state, reason: why there are no values. With NO_VARIATION the value stands alone.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    t: float | None
    df: int | None
    p_value: float | None
    first: Estimate
    second: Estimate
    n_shared_prompts: int
    n_shared_annotators: int
    level: float
    method: str
    state: State
    reason: str


def compare_nets(first: Votes, second: Votes, level: float = 0.95) -> NetDifference:
    """Estimate the difference of the nets of two campaigns, shared prompts and people counted.

    Ids must mean the same in both: prompt 7 of one is prompt 7 of the other, and so for
    annotators. Items are not compared.

    Formula. d = net_1 - net_2. Each vote's linearised score is (y - net_1) / n_1 in the first and
    -(y - net_2) / n_2 in the second, y = 1, 0, -1 for A, tie, B. V = max(Vp + Va - Vpa, Vp, Va)
    sums scores within prompts, annotators and both over the two campaigns together, so what a
    shared prompt or person adds to both nets cancels in d. Each campaign's scores carry the root
    of its G / (G - 1). Interval d -+ t se, cut to [-2, 2], with min(P_1, J_1, P_2, J_2) - 1
    degrees of freedom.

    How to read. Above 0, the preference for A is stronger in the first. Two campaigns on the same
    prompts by the same people have a narrower interval than their two nets suggest; two that share
    nothing have V_1 + V_2. Do not judge by whether two intervals overlap.

    Reference. Cameron, Gelbach and Miller (2011), JBES 29:238-249.

    >>> one = Votes([0, 0, 1, 2, 0, 0], [1, 1, 2, 2, 3, 3], [1, 2] * 3, [1, 1, 2, 2, 3, 3])
    >>> same = compare_nets(one, one)
    >>> same.value, same.state.value, same.n_shared_prompts, same.n_shared_annotators
    (0.0, 'no_variation', 3, 2)
    """
    check_level(level)
    nets = (win_rates(first, level).net, win_rates(second, level).net)
    shared = (
        len(np.intersect1d(first.prompt, second.prompt)),
        len(np.intersect1d(first.annotator, second.annotator)),
    )
    for name, net in zip(("first", "second"), nets, strict=True):
        if net.value is None:
            reason = f"In the {name} campaign: {net.reason}"
            return _result(nets, shared, level, state=net.state, reason=reason)
    assert nets[0].value is not None
    assert nets[1].value is not None
    value = nets[0].value - nets[1].value
    variance = _variance(first, second)
    alone = sum((net.se or 0.0) ** 2 for net in nets)
    if variance <= _NO_VARIATION * max(alone, _NO_VARIATION):
        reason = "The difference is the same for every prompt and annotator, so it has no spread."
        return _result(nets, shared, level, value=value, state=State.NO_VARIATION, reason=reason)
    df = min(first.n_prompts, first.n_annotators, second.n_prompts, second.n_annotators) - 1
    se = sqrt(variance)
    half = t_quantile(level, df) * se
    return _result(
        nets,
        shared,
        level,
        value=value,
        se=se,
        low=max(-2.0, value - half),
        high=min(2.0, value + half),
        t=value / se,
        df=df,
        p_value=t_p_value(value / se, df),
    )


def _variance(first: Votes, second: Votes) -> float:
    prompt = _clustered(first, second, first.prompt, second.prompt)
    annotator = _clustered(first, second, first.annotator, second.annotator)
    prompts = group(np.concatenate([first.prompt, second.prompt]))
    people = group(np.concatenate([first.annotator, second.annotator]))
    pair = prompts.codes * people.count + people.codes
    both = _clustered(first, second, pair[: len(first)], pair[len(first) :])
    return max(prompt + annotator - both, prompt, annotator)


def _clustered(first: Votes, second: Votes, one: IntColumn, other: IntColumn) -> float:
    """Sum over clusters of the squared sum of scores, ids `one` and `other` meaning the same."""
    clusters = group(np.concatenate([one, other]))
    parts = clusters.codes[: len(one)], clusters.codes[len(one) :]
    scores = _scores(first, parts[0], clusters.count) - _scores(second, parts[1], clusters.count)
    return float(scores @ scores)


def _scores(votes: Votes, codes: IntColumn, n_clusters: int) -> FloatArray:
    """Each cluster's score of net, times the root of G / (G - 1) for the G clusters there are."""
    table = outcome_table(Groups(codes, n_clusters), votes.outcome)
    count = NET.n_counted(table)
    factor = sqrt(count / (count - 1.0)) if count > 1 else 1.0
    scores: FloatArray = factor * NET.scores(table, table.sum(axis=0))
    return scores


def _result(
    nets: tuple[Estimate, Estimate],
    shared: tuple[int, int],
    level: float,
    *,
    value: float | None = None,
    se: float | None = None,
    low: float | None = None,
    high: float | None = None,
    t: float | None = None,
    df: int | None = None,
    p_value: float | None = None,
    state: State = State.DEFINED,
    reason: str = "",
) -> NetDifference:
    return NetDifference(
        value=value,
        se=se,
        low=low,
        high=high,
        t=t,
        df=df,
        p_value=p_value,
        first=nets[0],
        second=nets[1],
        n_shared_prompts=shared[0],
        n_shared_annotators=shared[1],
        level=level,
        method="two-way clustered by prompt and annotator over both campaigns; t interval",
        state=state,
        reason=reason,
    )
