"""Verdicts: one outcome per comparison, by majority of its k votes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ..inference.clustering import (
    FloatArray,
    Ratio,
    one_way_variance,
    outcome_table,
    score_divisors,
)
from ..inference.effective_votes import Clustering, Differing, EffectiveVotes, crossed
from ..inference.estimates import Basis, Estimate, State, estimate_of, without_interval
from ..inference.intervals import check_level
from ..people.leave_one_out import votes_of_others
from ..votes.chunking import column_sums, row_sums
from ..votes.columns import BoolColumn, Groups, IntColumn, Outcome, Votes, group
from ..votes.errors import UnknownOptionError

RULE = "majority"
"""What decides an item; other publications take a plurality."""

_ALL = (1.0, 1.0, 1.0, 1.0)
WIN = Ratio((1.0, 0.0, 0.0, 0.0), _ALL)
TIE = Ratio((0.0, 1.0, 0.0, 0.0), _ALL)
LOSE = Ratio((0.0, 0.0, 1.0, 0.0), _ALL)
NO_MAJORITY = Ratio((0.0, 0.0, 0.0, 1.0), _ALL)
NET = Ratio((1.0, 0.0, -1.0, 0.0), _ALL)


class Verdict(IntEnum):
    """What the votes of one item say together; the first three as `Outcome`."""

    A = 0
    TIE = 1
    B = 2
    NO_MAJORITY = 3


@dataclass(frozen=True)
class VerdictTally:
    """Counts of verdicts, seen from A."""

    win: int
    tie: int
    lose: int
    no_majority: int

    @property
    def total(self) -> int:
        return self.win + self.tie + self.lose + self.no_majority


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The verdict of each item and their shares, see `verdicts`.

    Attributes:
        item: ids of the items with all their votes, ascending; the columns below follow this order.
        outcome: the verdict of each item, as `Verdict`.
        prompt: the prompt of each item.
        n_votes: the number of votes behind each verdict.
        n_incomplete: how many items have too few votes for a verdict.
        rule: how items are decided: "majority".
        tally: counts of verdicts.
        win, tie, lose, no_majority, net: shares of verdicts, with intervals for other prompts and
            annotators; NO_ANSWERS while no item has all its votes.
    """

    item: IntColumn
    outcome: IntColumn
    prompt: IntColumn
    n_votes: IntColumn
    n_incomplete: int
    rule: str
    tally: VerdictTally
    win: Estimate
    tie: Estimate
    lose: Estimate
    no_majority: Estimate
    net: Estimate


def verdicts(
    votes: Votes,
    level: float = 0.95,
    *,
    votes_per_item: int = 1,
) -> Verdicts:
    """Decide each item by its k votes, and estimate the shares of items won, tied and lost.

    An item is decided once it has `votes_per_item` votes; the others wait in `n_incomplete`.
    Verdicts by fewer votes are other verdicts, not early ones: of an item that A wins with half of
    all votes and B with three tenths, A wins 50 % by one vote, 25 % by two and 50 % by three.

    The verdict of an item is what more than half of its votes say. Where that is none of A, tie
    and B, there is no majority: people are divided, which is another thing than a tie.

    Units. Shares of items, each item once whatever its k; win, tie, lose and no majority sum to 1.

    Variance. V = Vp + max(0, Va - Vpa). Vp is that of verdicts clustered by prompt. For the habits
    of annotators, let h be what one vote changes: the verdict of its item less the mean verdict
    had somebody else cast it, who answers like the item's other votes and, once, like all votes.
    With W the item's verdict, r the share and m the item's mean of h, the vote's score is

        (W - r) / k + h - m

    so that an item's scores sum to W - r, as they do for a mean of votes, and what moves all of
    an item's votes alike is no annotator's habit. Va sums scores / items within annotators and
    Vpa within (prompt, annotator), divided as in `clustering`; for one vote an item it is the
    two-way variance there. Both are steadied where few verdicts differ (`effective_votes`); the
    degrees of freedom are Satterthwaite's (`degrees`).

    How to read. As `win_rates`: other prompts, judged by other annotators. A pool of one annotator
    says nothing of others (ONE_ANNOTATOR).

    References. Cameron, Gelbach and Miller (2011), JBES 29:238-249; Hoeffding (1948), Annals of
    Mathematical Statistics 19:293-325; Efron and Stein (1981), Annals of Statistics 9:586-596.

    >>> votes = Votes(outcome=[0, 0, 2, 0, 1, 2, 0], prompt=[1, 1, 1, 2, 2, 2, 3],
    ...               annotator=[1, 2, 3, 1, 2, 3, 1], item=[10, 10, 10, 20, 20, 20, 30])
    >>> result = verdicts(votes, votes_per_item=3)
    >>> result.item.tolist(), [Verdict(one).name for one in result.outcome], result.n_incomplete
    ([10, 20], ['A', 'NO_MAJORITY'], 1)
    >>> result.tally
    VerdictTally(win=1, tie=0, lose=0, no_majority=1)
    """
    check_level(level)
    complete = _complete(votes, votes_per_item)
    n_items = votes.n_items
    if not complete.any():
        return _nothing_decided(n_items, level)
    votes = votes.where(complete)
    counts = outcome_table(votes.by_item, votes.outcome)
    outcome = _decide(counts)
    prompt = _per_item(votes, votes.prompt)
    tables = _VerdictTables.of(votes, outcome, prompt)
    return Verdicts(
        item=_frozen(_per_item(votes, votes.item)),
        outcome=_frozen(outcome),
        prompt=_frozen(prompt),
        n_votes=_frozen(row_sums(counts).astype(np.int64)),
        n_incomplete=n_items - votes.n_items,
        rule=RULE,
        tally=VerdictTally(*np.bincount(outcome, minlength=len(Verdict)).tolist()),
        win=_estimate(WIN, tables, level),
        tie=_estimate(TIE, tables, level),
        lose=_estimate(LOSE, tables, level),
        no_majority=_estimate(NO_MAJORITY, tables, level),
        net=_estimate(NET, tables, level),
    )


def _complete(votes: Votes, votes_per_item: int) -> BoolColumn:
    """For each vote, whether its item has all its votes."""
    if votes_per_item < 1:
        raise UnknownOptionError(f"votes_per_item is {votes_per_item}; give 1 or more.")
    codes = votes.by_item.codes
    complete: BoolColumn = np.bincount(codes)[codes] >= votes_per_item
    return complete


def _nothing_decided(n_items: int, level: float) -> Verdicts:
    basis = Basis(n_votes=0, n_prompts=0, n_annotators=0, estimand="verdicts", level=level)
    reason = "No comparison has all its votes yet."
    none = without_interval(None, State.NO_ANSWERS, reason, basis)
    empty = _frozen(np.zeros(0, dtype=np.int64))
    return Verdicts(
        item=empty,
        outcome=empty,
        prompt=empty,
        n_votes=empty,
        n_incomplete=n_items,
        rule=RULE,
        tally=VerdictTally(0, 0, 0, 0),
        win=none,
        tie=none,
        lose=none,
        no_majority=none,
        net=none,
    )


@dataclass(frozen=True)
class _VerdictTables:
    """Verdicts by prompt, and what single votes change in them by annotator and by both."""

    by_prompt: FloatArray
    by_annotator: FloatArray
    by_pair: FloatArray
    votes_by_annotator: FloatArray

    @classmethod
    def of(cls, votes: Votes, outcome: IntColumn, prompt: IntColumn) -> _VerdictTables:
        scores = _scores(votes, outcome)
        return cls(
            by_prompt=outcome_table(group(prompt), outcome, outcomes=len(Verdict)),
            by_annotator=_sums(votes.by_annotator, scores),
            by_pair=_sums(votes.by_pair, scores),
            votes_by_annotator=np.bincount(votes.by_annotator.codes).astype(np.float64),
        )

    def worth(self, ratio: Ratio) -> EffectiveVotes:
        """Of V = Vp + max(0, Va - Vpa), see `verdicts`."""
        total = column_sums(self.by_prompt)
        items = float(total.sum())
        value = np.array(ratio.value) / items
        shared = float(
            ((self.by_annotator @ value) ** 2 / score_divisors(self.votes_by_annotator)).sum()
        )
        pairs = len(self.by_pair)
        own = pairs / (pairs - 1.0) * float(((self.by_pair @ value) ** 2).sum())
        return crossed(
            Differing.of(ratio, total, int(items)),
            Clustering.sized(one_way_variance(ratio, self.by_prompt), self.by_prompt.sum(axis=1)),
            Clustering.sized(shared, self.votes_by_annotator),
            own,
            only_added=True,
        )


def _scores(votes: Votes, outcome: IntColumn) -> FloatArray:
    """Votes x 4: (W - r) / k + h - m of each verdict, see `verdicts`."""
    items = votes.by_item
    size = np.bincount(items.codes, minlength=items.count)[:, None]
    scores = _changes(votes, outcome)
    wins = np.eye(len(Verdict))[outcome]
    scores += ((wins - wins.mean(axis=0) - _sums(items, scores)) / size)[items.codes]
    return scores


def _changes(votes: Votes, outcome: IntColumn) -> FloatArray:
    """Votes x 4: the verdict of the vote's item, less the mean one had somebody else voted."""
    everybody = np.ones(len(votes), dtype=np.bool_)
    others = votes_of_others(votes.item, votes.outcome, everybody).astype(np.float64)
    spread = np.bincount(votes.outcome, minlength=len(Outcome)) / len(votes)
    chance = (others + spread) / (row_sums(others)[:, None] + 1.0)
    changes = np.eye(len(Verdict))[outcome[votes.by_item.codes]]
    rows = np.arange(len(votes))
    for answer in Outcome:
        others[:, answer] += 1.0
        changes[rows, _decide(others)] -= chance[:, answer]
        others[:, answer] -= 1.0
    return changes


def _sums(groups: Groups, changes: FloatArray) -> FloatArray:
    columns = [np.bincount(groups.codes, column, groups.count) for column in changes.T]
    return np.stack(columns, axis=1)


def _decide(counts: FloatArray) -> IntColumn:
    """The verdict of each row of counts of A, tie and B."""
    total = row_sums(counts)
    verdict = np.full(len(counts), Verdict.NO_MAJORITY, dtype=np.int64)
    for answer in Outcome:
        verdict[2.0 * counts[:, answer] > total] = answer
    return verdict


def _per_item(votes: Votes, column: IntColumn) -> IntColumn:
    """The value of `column` for each item, where it is the same for all votes of an item."""
    per_item = np.empty(votes.n_items, dtype=np.int64)
    per_item[votes.by_item.codes] = column
    return per_item


def _estimate(ratio: Ratio, tables: _VerdictTables, level: float) -> Estimate:
    total = column_sums(tables.by_prompt)
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
        return without_interval(ratio.of(total), State.ONE_PROMPT, reason, basis)
    if n_annotators < 2:
        reason = "All votes are by one annotator: nothing tells of other people."
        return without_interval(ratio.of(total), State.ONE_ANNOTATOR, reason, basis)
    return estimate_of(
        ratio,
        total,
        tables.worth(ratio),
        degrees="Satterthwaite",
        clustering="clustered by prompt, and by annotator through what single votes change",
        basis=basis,
    )


def _frozen(column: npt.NDArray[np.int64]) -> IntColumn:
    column.setflags(write=False)
    return column
