"""How often A wins, ties and loses, with intervals that hold when votes share people and prompts.

Naming: a win is a win of A. All shares are of votes; `net` is win - lose, `half` counts a tie as
half a win, `decided` leaves ties out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .chunking import count_codes
from .clustering import (
    ClusterMoments,
    FloatArray,
    Ratio,
    one_way_variance,
    outcome_table,
    pair_moments,
    two_way_variance,
)
from .degrees import one_way_df, two_way_df
from .errors import LengthMismatchError, UnknownOptionError
from .estimates import Basis, Estimate, State, estimate_from_variance, undefined_estimate
from .intervals import check_level
from .votes import IntColumn, Outcome, Votes, factorise

Estimand = Literal["votes", "prompts"]

WIN = Ratio((1.0, 0.0, 0.0))
TIE = Ratio((0.0, 1.0, 0.0))
LOSE = Ratio((0.0, 0.0, 1.0))
NET = Ratio((1.0, 0.0, -1.0))
HALF = Ratio((1.0, 0.5, 0.0))
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


def tally(votes: Votes) -> Tally:
    """Count wins of A, ties and wins of B.

    >>> tally(Votes([0, 0, 1, 2], [1, 1, 2, 2], [1, 2, 1, 2], [1, 1, 2, 2]))
    Tally(win=2, tie=1, lose=1)
    """
    return tally_of(votes.outcome)


def tally_of(outcome: IntColumn) -> Tally:
    win, tie, lose = np.bincount(outcome, minlength=len(Outcome)).tolist()
    return Tally(win=win, tie=tie, lose=lose)


def win_rates(votes: Votes, level: float = 0.95, *, estimand: Estimand = "votes") -> WinRates:
    """Estimate win, tie, lose, net, half and decided with two-way clustered intervals.

    Formula. Each is a ratio of sums over votes (ties do not count in `decided`), with variance
    V = max(Vp + Va - Vpa, Vp, Va), see `clustering`. Shares get Wilson's interval with
    n_effective = p (1 - p) / V and the t quantile with Satterthwaite's degrees of freedom, see
    `degrees`; `net` gets value -+ t * se, cut to [-1, 1]. Where the votes show no variation (all
    wins, say), n_effective is min(P, J) for P prompts and J annotators, as if each cluster were
    one vote, and `method` says so; `net` then takes twice the interval of (net + 1) / 2, less one.

    Units. Shares of votes in [0, 1]; net in [-1, 1].

    How to read. "If other people judged other prompts of these kinds, the share would lie in the
    interval in 95 of 100 such studies." `estimand="votes"` is the mean over votes;
    `estimand="prompts"` gives each prompt the same weight however many votes it got, and its
    `decided` is win / (win + lose) of the shares so weighted. They agree when all prompts have
    equally many votes.

    An estimate without two prompts and two annotators (for `decided`: among the decided votes)
    has no interval that means anything; its `state` and `reason` say so and its values are None.
    The raw shares stay in `tally`.

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Satterthwaite (1946),
    Biometrics Bulletin 2:110-114; Wilson (1927), JASA 22:209-212; for n_effective, Korn and
    Graubard (1998), Survey Methodology 24:193-201.

    >>> votes = Votes(outcome=[0, 0, 0, 1, 0, 2, 0, 0, 2], prompt=[1, 1, 1, 2, 2, 2, 3, 3, 3],
    ...               annotator=[1, 2, 3] * 3, item=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    >>> rates = win_rates(votes)
    >>> round(rates.win.value, 3), round(rates.net.value, 3), round(rates.decided.value, 3)
    (0.667, 0.444, 0.75)
    >>> rates.win.df, rates.win.n_votes, rates.win.n_prompts, rates.win.n_annotators
    (2.0, 9, 3, 3)
    """
    check_level(level)
    tables = _Tables.of(votes, estimand)
    return WinRates(
        win=_estimate(WIN, tables, level),
        tie=_estimate(TIE, tables, level),
        lose=_estimate(LOSE, tables, level),
        net=_estimate(NET, tables, level),
        half=_estimate(HALF, tables, level),
        decided=_estimate(DECIDED, tables, level),
        tally=tally(votes),
        level=level,
        estimand=estimand,
    )


def breakdown(
    votes: Votes,
    group_labels: Iterable[Hashable],
    level: float = 0.95,
    *,
    estimand: Estimand = "votes",
) -> dict[Hashable, WinRates]:
    """`win_rates` of each group of votes (a category, a criterion), in order of first appearance.

    How to read. Each interval is for its group alone: groups share annotators, and of many groups
    some will differ by chance, so do not read a difference off two intervals.

    >>> votes = Votes([0, 0, 2, 2], [1, 2, 3, 4], [1, 2, 1, 2], [1, 2, 3, 4])
    >>> by_category = breakdown(votes, ["animals", "animals", "food", "food"])
    >>> {label: rates.win.value for label, rates in by_category.items()}
    {'animals': 1.0, 'food': 0.0}
    """
    codes, labels = factorise(group_labels)
    if len(codes) != len(votes):
        raise LengthMismatchError({"votes": len(votes), "group_labels": len(codes)})
    return {
        label: win_rates(votes.where(codes == code), level, estimand=estimand)
        for code, label in enumerate(labels)
    }


@dataclass(frozen=True)
class _Tables:
    """All that the six estimates need, made in one pass over the votes."""

    counts: FloatArray
    by_prompt: FloatArray
    by_annotator: FloatArray
    by_pair: ClusterMoments
    estimand: Estimand

    @classmethod
    def of(cls, votes: Votes, estimand: Estimand) -> _Tables:
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


def _estimate(ratio: Ratio, tables: _Tables, level: float) -> Estimate:
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
    state, reason = _state_of(n_votes, n_prompts, n_annotators, ratio)
    if state is not State.DEFINED:
        return undefined_estimate(state, reason, basis)
    variance = two_way_variance(ratio, tables.by_prompt, tables.by_annotator, tables.by_pair)
    prompt, annotator = (
        (one_way_variance(ratio, table), one_way_df(table @ np.array(ratio.counted)))
        for table in (tables.by_prompt, tables.by_annotator)
    )
    return estimate_from_variance(
        ratio,
        total=tables.by_prompt.sum(axis=0),
        variance=variance,
        df=two_way_df(variance, prompt, annotator),
        degrees="Satterthwaite",
        n_clusters=min(n_prompts, n_annotators),
        clusters="min(prompts, annotators)",
        clustering="two-way clustered by prompt and annotator",
        basis=basis,
    )


def _state_of(n_votes: int, n_prompts: int, n_annotators: int, ratio: Ratio) -> tuple[State, str]:
    what = "decided votes" if ratio is DECIDED else "votes"
    if n_votes == 0:
        return State.NO_DECIDED_VOTES, "Every vote is a tie, so there is no decided vote."
    if n_prompts < 2:
        return State.ONE_PROMPT, f"All {what} are on one prompt: nothing tells of other prompts."
    if n_annotators < 2:
        return State.ONE_ANNOTATOR, f"All {what} are by one annotator: nothing tells of others."
    return State.DEFINED, ""
