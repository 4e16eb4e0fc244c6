"""Verdicts: one outcome per comparison, by majority of its k votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .clustering import FloatArray, Ratio, independent_variance, one_way_variance, outcome_table
from .degrees import one_way_df, two_way_df
from .errors import UnknownOptionError
from .estimates import Basis, Estimate, State, estimate_from_variance, undefined_estimate
from .intervals import check_level
from .leave_one_out import votes_of_others
from .rates import LOSE, NET, TIE, WIN, Tally, tally_of
from .votes import Groups, IntColumn, Outcome, Votes, group

Rule = Literal["majority", "plurality"]


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The verdict of each item and their shares, see `verdicts`.

    Attributes:
        item: item ids, ascending; the columns below follow this order.
        outcome: the verdict of each item, as `Outcome`.
        prompt: the prompt of each item.
        n_votes: k, the number of votes behind each verdict.
        rule: "majority" or "plurality".
        tally: counts of verdicts.
        win, tie, lose, net: shares of verdicts, with intervals for other prompts and annotators.
    """

    item: IntColumn
    outcome: IntColumn
    prompt: IntColumn
    n_votes: IntColumn
    rule: Rule
    tally: Tally
    win: Estimate
    tie: Estimate
    lose: Estimate
    net: Estimate


def verdicts(votes: Votes, level: float = 0.95, *, rule: Rule = "majority") -> Verdicts:
    """Decide each item by its k votes, and estimate the shares of items won, tied and lost.

    Rules, for an item with a votes for A, t ties and b votes for B, k = a + t + b:

    - "majority" (the house rule): A if a > k / 2, B if b > k / 2, else a tie;
    - "plurality": the outcome with strictly most votes; if the top is shared, a tie.

    They differ where the leader holds half or less: with 2 A, 1 tie and 1 B, majority says tie and
    plurality says A.

    Units. Shares of items, each item once whatever its k.

    Variance. V = Vp + max(0, Va - Vpa). Vp is that of verdicts clustered by prompt. For the habits
    of annotators, let h be what one vote changes: the verdict of its item less the mean verdict
    had somebody else cast it, who answers like the item's other votes and, once, like all votes.
    With W the item's verdict, r the share and m the item's mean of h, the vote's score is

        (W - r) / k + h - m

    so that an item's scores sum to W - r, as they do for a mean of votes, and what moves all of
    an item's votes alike is no annotator's habit. Va sums scores / items within annotators and
    Vpa within (prompt, annotator), each with its G / (G - 1); for one vote an item it is the
    two-way variance of `clustering`. The degrees of freedom are Satterthwaite's, see `degrees`.

    How to read. As `win_rates`: other prompts, judged by other annotators. Of the 35 designs that
    `degrees` speaks of, 31 hold 93 to 97 % of the true shares and none less; with ten prompts of
    one item each the share has eleven possible values and 99 % of intervals hold the truth. A pool
    of one annotator says nothing of others (ONE_ANNOTATOR).

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Hoeffding (1948), Annals of
    Mathematical Statistics 19:293-325; Efron and Stein (1981), Annals of Statistics 9:586-596.

    >>> votes = Votes(outcome=[0, 0, 2, 0, 1, 2], prompt=[1, 1, 1, 2, 2, 2],
    ...               annotator=[1, 2, 3, 1, 2, 3], item=[10, 10, 10, 20, 20, 20])
    >>> result = verdicts(votes)
    >>> result.item.tolist(), [Outcome(one).name for one in result.outcome]
    ([10, 20], ['A', 'TIE'])
    >>> result.tally
    Tally(win=1, tie=1, lose=0)
    """
    check_level(level)
    items = votes.by_item
    counts = outcome_table(items, votes.outcome)
    outcome = _decide(counts, rule)
    prompt = _per_item(votes, votes.prompt)
    tables = _Tables.of(votes, outcome, prompt, rule)
    return Verdicts(
        item=_frozen(_per_item(votes, votes.item)),
        outcome=_frozen(outcome),
        prompt=_frozen(prompt),
        n_votes=_frozen(counts.sum(axis=1).astype(np.int64)),
        rule=rule,
        tally=tally_of(outcome),
        win=_estimate(WIN, tables, level),
        tie=_estimate(TIE, tables, level),
        lose=_estimate(LOSE, tables, level),
        net=_estimate(NET, tables, level),
    )


@dataclass(frozen=True)
class _Tables:
    """Verdicts by prompt, and what single votes change in them by annotator and by both."""

    by_prompt: FloatArray
    by_annotator: FloatArray
    by_pair: FloatArray
    votes_by_annotator: FloatArray

    @classmethod
    def of(cls, votes: Votes, outcome: IntColumn, prompt: IntColumn, rule: Rule) -> _Tables:
        scores = _scores(votes, outcome, rule)
        return cls(
            by_prompt=outcome_table(group(prompt), outcome),
            by_annotator=_sums(votes.by_annotator, scores),
            by_pair=_sums(votes.by_pair, scores),
            votes_by_annotator=np.bincount(votes.by_annotator.codes).astype(np.float64),
        )

    def variance(self, ratio: Ratio) -> tuple[float, float]:
        """Vp + max(0, Va - Vpa), see `verdicts`, and its degrees of freedom."""
        prompt_df = one_way_df(self.by_prompt.sum(axis=1))
        total = self.by_prompt.sum(axis=0)
        items = float(total.sum())
        if independent_variance(ratio, total, 2) == 0.0:
            return (
                0.0,
                prompt_df,
            )  # all verdicts alike: that single votes differ leaves no share to vary
        prompt = one_way_variance(ratio, self.by_prompt)
        shared, own = (
            len(table) / (len(table) - 1.0) * float(((table @ np.array(ratio.value)) ** 2).sum())
            for table in (self.by_annotator, self.by_pair)
        )
        variance = prompt + max(0.0, shared - own) / items**2
        annotator_df = one_way_df(self.votes_by_annotator)
        df = two_way_df(variance, (prompt, prompt_df), (shared / items**2, annotator_df))
        return variance, df


def _scores(votes: Votes, outcome: IntColumn, rule: Rule) -> FloatArray:
    """Votes x 3: (W - r) / k + h - m of each outcome, see `verdicts`."""
    items = votes.by_item
    size = np.bincount(items.codes, minlength=items.count)[:, None]
    scores = _changes(votes, outcome, rule)
    wins = np.eye(len(Outcome))[outcome]
    scores += ((wins - wins.mean(axis=0) - _sums(items, scores)) / size)[items.codes]
    return scores


def _changes(votes: Votes, outcome: IntColumn, rule: Rule) -> FloatArray:
    """Votes x 3: the verdict of the vote's item, less the mean one had somebody else voted."""
    everybody = np.ones(len(votes), dtype=np.bool_)
    others = votes_of_others(votes.item, votes.outcome, everybody).astype(np.float64)
    spread = np.bincount(votes.outcome, minlength=len(Outcome)) / len(votes)
    chance = (others + spread) / (others.sum(axis=1, keepdims=True) + 1.0)
    changes = np.eye(len(Outcome))[outcome[votes.by_item.codes]]
    rows = np.arange(len(votes))
    for answer in Outcome:
        others[:, answer] += 1.0
        changes[rows, _decide(others, rule)] -= chance[:, answer]
        others[:, answer] -= 1.0
    return changes


def _sums(groups: Groups, changes: FloatArray) -> FloatArray:
    columns = [np.bincount(groups.codes, column, groups.count) for column in changes.T]
    return np.stack(columns, axis=1)


def _decide(counts: FloatArray, rule: Rule) -> IntColumn:
    a, tie, b = counts[:, Outcome.A], counts[:, Outcome.TIE], counts[:, Outcome.B]
    if rule == "majority":
        half = (a + tie + b) / 2.0
        a_wins, b_wins = a > half, b > half
    elif rule == "plurality":
        a_wins, b_wins = a > np.maximum(tie, b), b > np.maximum(tie, a)
    else:
        raise UnknownOptionError(f"rule is {rule!r}; accepted are 'majority' and 'plurality'.")
    return np.where(a_wins, Outcome.A, np.where(b_wins, Outcome.B, Outcome.TIE)).astype(np.int64)


def _per_item(votes: Votes, column: IntColumn) -> IntColumn:
    """The value of `column` for each item, where it is the same for all votes of an item."""
    per_item = np.empty(votes.n_items, dtype=np.int64)
    per_item[votes.by_item.codes] = column
    return per_item


def _estimate(ratio: Ratio, tables: _Tables, level: float) -> Estimate:
    total = tables.by_prompt.sum(axis=0)
    n_prompts, n_annotators = len(tables.by_prompt), len(tables.by_annotator)
    basis = Basis(
        n_votes=int(total.sum()),
        n_prompts=n_prompts,
        n_annotators=n_annotators,
        estimand="verdicts",
        level=level,
    )
    if n_prompts < 2:
        reason = "All verdicts are on one prompt: nothing tells of other prompts."
        return undefined_estimate(State.ONE_PROMPT, reason, basis)
    if n_annotators < 2:
        reason = "All votes are by one annotator: nothing tells of others."
        return undefined_estimate(State.ONE_ANNOTATOR, reason, basis)
    variance, df = tables.variance(ratio)
    return estimate_from_variance(
        ratio,
        total=total,
        variance=variance,
        df=df,
        degrees="Satterthwaite",
        n_clusters=min(n_prompts, n_annotators),
        clusters="min(prompts, annotators)",
        clustering="clustered by prompt, and by annotator through what single votes change",
        basis=basis,
    )


def _frozen(column: npt.NDArray[np.int64]) -> IntColumn:
    column.setflags(write=False)
    return column
