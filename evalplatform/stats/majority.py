"""Verdicts: one outcome per comparison, by majority of its k votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .clustering import FloatArray, Ratio, one_way_variance, outcome_table
from .errors import UnknownOptionError
from .estimates import Basis, Estimate, State, estimate_from_variance, undefined_estimate
from .intervals import check_level
from .rates import LOSE, NET, TIE, WIN, Tally, tally_of
from .votes import IntColumn, Outcome, Votes, group

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
        win, tie, lose, net: shares of verdicts, with intervals clustered by prompt.
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

    How to read. Intervals are one-way clustered by prompt with P - 1 degrees of freedom. The k
    votes of an item are one verdict, so agreement within an item is taken care of, but a habit of
    one annotator over many items is not: the intervals speak of other prompts judged by the same
    pool of people. For other people too they are too narrow (in the simulations of
    tests/stats/bench/coverage.py 87 % of nominal 95 % intervals hold the true share, 63 % with
    strong habits): read `win_rates` then, whose intervals are two-way.

    Reference. Prompt clustering: Liang and Zeger (1986), Biometrika 73:13-22.

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
    by_prompt = outcome_table(group(prompt), outcome)
    n_annotators = votes.n_annotators
    return Verdicts(
        item=_frozen(_per_item(votes, votes.item)),
        outcome=_frozen(outcome),
        prompt=_frozen(prompt),
        n_votes=_frozen(counts.sum(axis=1).astype(np.int64)),
        rule=rule,
        tally=tally_of(outcome),
        win=_estimate(WIN, by_prompt, n_annotators, level),
        tie=_estimate(TIE, by_prompt, n_annotators, level),
        lose=_estimate(LOSE, by_prompt, n_annotators, level),
        net=_estimate(NET, by_prompt, n_annotators, level),
    )


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


def _estimate(ratio: Ratio, by_prompt: FloatArray, n_annotators: int, level: float) -> Estimate:
    total = by_prompt.sum(axis=0)
    n_prompts = len(by_prompt)
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
    return estimate_from_variance(
        ratio,
        total=total,
        variance=one_way_variance(ratio, by_prompt),
        n_clusters=n_prompts,
        clusters="prompts",
        clustering="clustered by prompt; habits of annotators are inside the verdicts, not counted",
        basis=basis,
    )


def _frozen(column: npt.NDArray[np.int64]) -> IntColumn:
    column.setflags(write=False)
    return column
