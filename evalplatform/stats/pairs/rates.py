"""How often A wins, ties and loses, with intervals that hold when votes share people and prompts.

Naming: a win is a win of A. All shares are of votes; `net` is win - lose, `half` counts a tie as
half a win, `decided` leaves ties out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..inference.clustering import (
    ClusterMoments,
    FloatArray,
    Ratio,
    outcome_table,
    pair_moments,
)
from ..inference.effective_votes import Clustering, Differing, crossed
from ..inference.estimates import (
    Basis,
    Estimate,
    State,
    estimate_of,
    few_clusters,
    without_interval,
)
from ..inference.intervals import check_level
from ..votes.chunking import column_sums, count_codes
from ..votes.columns import Votes
from ..votes.errors import UnknownOptionError

Estimand = Literal["votes", "prompts"]

WIN = Ratio((1.0, 0.0, 0.0))
TIE = Ratio((0.0, 1.0, 0.0))
LOSE = Ratio((0.0, 0.0, 1.0))
NET = Ratio((1.0, 0.0, -1.0))
DECIDED = Ratio((1.0, 0.0, 0.0), counted=(1.0, 0.0, 1.0))


@dataclass(frozen=True)
class Tally:
    """Counts of outcomes, seen from A."""

    win: int
    tie: int
    lose: int

    @property
    def total(self) -> int:
        return self.win + self.tie + self.lose

    @property
    def shares(self) -> tuple[float, float, float]:
        """Win, tie and lose as shares of all: a description, without any claim of certainty."""
        return self.win / self.total, self.tie / self.total, self.lose / self.total


@dataclass(frozen=True)
class WinRates:
    """Shares seen from A, see `win_rates`."""

    win: Estimate
    tie: Estimate
    lose: Estimate
    net: Estimate
    half: Estimate
    decided: Estimate
    tally: Tally
    level: float
    estimand: Estimand


def win_rates(votes: Votes, level: float = 0.95, *, estimand: Estimand = "votes") -> WinRates:
    """Estimate win, tie, lose, net, half and decided with two-way clustered intervals.

    Formula. Each is a ratio of sums over votes (ties do not count in `decided`), with variance
    V = max(Vp + Va - Vpa, Vp, Va, Vpa), see `clustering`, steadied where few votes differ, see
    `effective_votes`. With s^2 the spread of single votes (p (1 - p) for a share), the study is
    worth n_effective = s^2 / V independent votes. Shares get Wilson's interval for so many, `net`
    the score interval of `intervals.net_interval`, and `half` = (1 + net) / 2 that of net; t
    quantiles with Satterthwaite's degrees of freedom, see `degrees`. The p-value of net = 0 is the
    test its interval inverts: t = net / sqrt(d / n_effective) for a share d of decided votes, the
    standard error net would have were its true value 0.

    Units. Shares of votes in [0, 1]; net in [-1, 1].

    How to read. "If other people judged other prompts of these kinds, the share would lie in the
    interval in 95 of 100 such studies." `estimand="votes"` is the mean over votes;
    `estimand="prompts"` gives each prompt the same weight however many votes it got, and its
    `decided` is win / (win + lose) of the shares so weighted. They agree when all prompts have
    equally many votes.

    With one prompt or one annotator (for `decided`: among the decided votes) the value describes
    those votes and there is no interval; `state` and `reason` say so.

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Satterthwaite (1946),
    Biometrics Bulletin 2:110-114; Wilson (1927), JASA 22:209-212; for n_effective, Korn and
    Graubard (1998), Survey Methodology 24:193-201; for score tests beside Wald's near 0 and 1,
    Agresti and Coull (1998), American Statistician 52:119-126.

    >>> votes = Votes(outcome=[0, 0, 0, 1, 0, 2, 0, 0, 2], prompt=[1, 1, 1, 2, 2, 2, 3, 3, 3],
    ...               annotator=[1, 2, 3] * 3, item=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    >>> rates = win_rates(votes)
    >>> round(rates.win.value, 3), round(rates.net.value, 3), round(rates.decided.value, 3)
    (0.667, 0.444, 0.75)
    >>> rates.win.df, rates.win.n_votes, rates.win.n_prompts, rates.win.n_annotators
    (2.0, 9, 3, 3)
    """
    check_level(level)
    tables = _RateTables.of(votes, estimand)
    net = _estimate(NET, tables, level)
    return WinRates(
        win=_estimate(WIN, tables, level),
        tie=_estimate(TIE, tables, level),
        lose=_estimate(LOSE, tables, level),
        net=net,
        half=half_of(net),
        decided=_estimate(DECIDED, tables, level),
        tally=Tally(*tables.counts.astype(int).tolist()),
        level=level,
        estimand=estimand,
    )


def share_of(votes: Votes, level: float = 0.95) -> Estimate:
    """The share of A alone, with the interval that `win_rates` gives it."""
    return _estimate(WIN, _RateTables.of(votes, "votes"), level)


def net_of(votes: Votes, level: float = 0.95) -> Estimate:
    """The net preference alone, as `win_rates` gives it."""
    return _estimate(NET, _RateTables.of(votes, "votes"), level)


def net_and_ties(votes: Votes, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """The net preference and the share of ties alone, as `win_rates` gives them."""
    check_level(level)
    tables = _RateTables.of(votes, "votes")
    return _estimate(NET, tables, level), _estimate(TIE, tables, level)


@dataclass(frozen=True)
class _RateTables:
    """All that the six estimates need, made in one pass over the votes."""

    counts: FloatArray
    by_prompt: FloatArray
    by_annotator: FloatArray
    by_pair: ClusterMoments
    estimand: Estimand

    @classmethod
    def of(cls, votes: Votes, estimand: Estimand) -> _RateTables:
        weight = _weights(votes, estimand)
        prompts, annotators = votes.prompt_codes, votes.annotator_codes
        return cls(
            counts=np.bincount(votes.outcome, minlength=3).astype(np.float64),
            by_prompt=outcome_table(prompts, votes.outcome, weight),
            by_annotator=outcome_table(annotators, votes.outcome, weight),
            by_pair=pair_moments(prompts.codes, annotators, votes.outcome, weight),
            estimand=estimand,
        )


def _weights(votes: Votes, estimand: Estimand) -> FloatArray | None:
    if estimand == "votes":
        return None
    if estimand == "prompts":
        codes = votes.prompt_codes.codes
        weights: FloatArray = (1.0 / count_codes(codes, votes.n_prompts))[codes]
        return weights
    raise UnknownOptionError(f"estimand is {estimand!r}; accepted are 'votes' and 'prompts'.")


def _estimate(ratio: Ratio, tables: _RateTables, level: float) -> Estimate:
    n_votes = int(tables.counts @ np.array(ratio.counted))
    n_prompts = ratio.n_counted(tables.by_prompt)
    n_annotators = ratio.n_counted(tables.by_annotator)
    basis = Basis(
        n_votes=n_votes,
        n_prompts=n_prompts,
        n_annotators=n_annotators,
        estimand=tables.estimand,
        level=level,
    )
    total = column_sums(tables.by_prompt)
    state, reason = _state_of(n_votes, n_prompts, n_annotators, ratio)
    if state is not State.DEFINED:
        return without_interval(ratio.of(total) if n_votes else None, state, reason, basis)
    worth = crossed(
        Differing.of(ratio, total, tables.by_pair.n_counted(ratio)),
        Clustering.of(ratio, tables.by_prompt),
        Clustering.of(ratio, tables.by_annotator),
        tables.by_pair.one_way_variance(ratio, total),
    )
    return estimate_of(
        ratio,
        total,
        worth,
        degrees="Satterthwaite",
        clustering="two-way clustered by prompt and annotator",
        basis=basis,
    )


def half_of(net: Estimate) -> Estimate:
    """win + tie / 2 is (1 + net) / 2, interval and all."""
    if net.value is None:
        return net
    value, low, high = (
        None if one is None else (1.0 + one) / 2.0 for one in (net.value, net.low, net.high)
    )
    se = None if net.se is None else net.se / 2.0
    return replace(net, value=value, low=low, high=high, se=se, se_null=None)


def _state_of(n_votes: int, n_prompts: int, n_annotators: int, ratio: Ratio) -> tuple[State, str]:
    if n_votes == 0:
        return State.NO_DECIDED_VOTES, "Every vote is a tie, so there is no decided vote."
    what = "decided votes" if ratio is DECIDED else "votes"
    return few_clusters(what, n_prompts, n_annotators)
