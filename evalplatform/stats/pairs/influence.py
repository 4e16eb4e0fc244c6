"""Does the lead of one of two arms depend on a few votes, on one person, on who was excluded?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..inference.clustering import FloatArray, outcome_table
from ..inference.estimates import State
from ..votes.columns import Outcome, Votes
from ..votes.errors import ColumnTypeError, LengthMismatchError
from .rates import WinRates, win_rates


@dataclass(frozen=True, kw_only=True)
class Flip:
    """The fewest units that would have to be dropped for the other checkpoint to lead.

    Attributes:
        unit: "votes", "annotators" or "prompts".
        count: how many; None where undefined.
        share: `count` as a share of all units; None where undefined.
        state, reason: NO_LEADER where wins equal losses; UNBEATABLE where no selection of units
            gives the other checkpoint the lead.
    """

    unit: str
    count: int | None
    share: float | None
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """How much the net preference hangs on single people and few votes, see `robustness`.

    Attributes:
        net: win - lose over all votes, in [-1, 1].
        low, high: the smallest and largest net without any one annotator; None where undefined.
        low_without, high_without: the ids of the annotators left out there.
        leader_changes: ids of the annotators without whom the other checkpoint leads, or none.
        votes, annotators, prompts: the fewest of each that decide the winner.
        state, reason: ONE_ANNOTATOR where nobody is left without the only one.
    """

    net: float
    low: float | None
    high: float | None
    low_without: int | None
    high_without: int | None
    leader_changes: tuple[int, ...]
    votes: Flip
    annotators: Flip
    prompts: Flip
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class ExclusionEffect:
    """Win rates with all votes and without the excluded ones, see `with_and_without`.

    Attributes:
        all_votes: with every vote.
        kept: without the excluded votes; None where none is left.
        n_excluded: votes excluded.
        net_change: net without less net with them, in [-2, 2]; None where either is undefined.
        reason: why `kept` is None.
    """

    all_votes: WinRates
    kept: WinRates | None
    n_excluded: int
    net_change: float | None
    reason: str


def robustness(votes: Votes) -> Robustness:
    """Who and what the sign of the net preference hangs on.

    Formula. A vote is worth +1 (for A), 0 (tie) or -1 (for B); the lead L of A is their sum and
    net = L / n. Leave-one-out: (L - L_j) / (n - n_j) for each annotator j. A flip is a lead of
    the other checkpoint, strictly; `count` is the smallest number of units (votes, or all votes
    of an annotator, or of a prompt) whose removal flips.

    The count is exact, and found greedily. Let L > 0, else exchange A and B. Removing a set R of
    units leaves L - sum of L_u over R, as the lead is a sum over units. Among sets of r units none
    takes more than the r units with the largest L_u, so some set of r flips if and only if that
    one does; and the smallest such r is found by taking units in order of L_u until the lead is
    below 0. With single votes it is L + 1 votes of the winner. If all units with L_u > 0 together
    do not flip, nothing does.

    Units. Votes; net in [-1, 1].

    How to read. This describes these votes; it is no test. A winner that 3 of 1,000 votes
    or one person would unseat is no finding, whatever its interval; one that needs a third of all
    annotators does not hang on anybody.

    Reference. Broderick, Giordano and Meager (2020), arXiv:2011.14999, who ask the same of
    estimators for which the greedy choice is only approximate.

    >>> votes = Votes(outcome=[0, 0, 0, 0, 1, 2, 2], prompt=[1, 2, 3, 4, 1, 1, 2],
    ...               annotator=[1, 1, 1, 2, 2, 3, 3], item=[1, 2, 3, 4, 1, 1, 2])
    >>> found = robustness(votes)
    >>> found.votes.count, found.annotators.count, found.leader_changes
    (3, 1, (1,))
    """
    by_annotator = outcome_table(votes.by_annotator, votes.outcome)
    by_prompt = outcome_table(votes.by_prompt, votes.outcome)
    ids = np.unique(votes.annotator)
    total = by_annotator.sum(axis=0)
    lead, n = _lead(total), float(total.sum())
    flips = {
        "votes": _flip("votes", np.repeat([1.0, 0.0, -1.0], total.astype(np.int64))),
        "annotators": _flip("annotators", _lead(by_annotator)),
        "prompts": _flip("prompts", _lead(by_prompt)),
    }
    if len(ids) < 2:
        reason = "All votes are by one annotator: without them there is none."
        return Robustness(
            net=float(lead / n),
            low=None,
            high=None,
            low_without=None,
            high_without=None,
            leader_changes=(),
            state=State.ONE_ANNOTATOR,
            reason=reason,
            **flips,
        )
    leads = lead - _lead(by_annotator)
    nets = leads / (n - by_annotator.sum(axis=1))
    changed = np.sign(leads) != np.sign(lead)
    return Robustness(
        net=float(lead / n),
        low=float(nets.min()),
        high=float(nets.max()),
        low_without=int(ids[nets.argmin()]),
        high_without=int(ids[nets.argmax()]),
        leader_changes=tuple(int(one) for one in ids[changed]),
        state=State.DEFINED,
        reason="",
        **flips,
    )


def with_and_without(votes: Votes, excluded: npt.ArrayLike, level: float = 0.95) -> ExclusionEffect:
    """Win rates with and without some votes, those of excluded annotators for example.

    `excluded` has True for each vote to leave out. Report both: a rule that was fixed before the
    votes came in decides which one counts.

    >>> votes = Votes([0, 0, 2, 2, 0, 2], [1, 2, 1, 2, 1, 2], [1, 1, 2, 2, 3, 3], [1, 2] * 3)
    >>> effect = with_and_without(votes, votes.annotator == 2)
    >>> effect.all_votes.net.value, effect.kept.net.value, effect.n_excluded
    (0.0, 0.5, 2)
    """
    mask = np.asarray(excluded)
    if mask.dtype != np.bool_ or mask.ndim != 1:
        raise ColumnTypeError("excluded must be a one-dimensional column of True and False.")
    if len(mask) != len(votes):
        raise LengthMismatchError({"votes": len(votes), "excluded": len(mask)})
    everything = win_rates(votes, level)
    if mask.all():
        return ExclusionEffect(
            all_votes=everything,
            kept=None,
            n_excluded=len(votes),
            net_change=None,
            reason="Every vote is excluded.",
        )
    kept = win_rates(votes.where(~mask), level)
    before, after = everything.net.value, kept.net.value
    return ExclusionEffect(
        all_votes=everything,
        kept=kept,
        n_excluded=int(mask.sum()),
        net_change=after - before if before is not None and after is not None else None,
        reason="",
    )


def _lead(table: FloatArray) -> FloatArray:
    return table[..., Outcome.A] - table[..., Outcome.B]


def _flip(unit: str, leads: FloatArray) -> Flip:
    """The proof is in `robustness`."""
    lead = leads.sum()
    if lead == 0:
        reason = "Wins equal losses, so there is no leader."
        return Flip(unit=unit, count=None, share=None, state=State.NO_LEADER, reason=reason)
    taken = np.cumsum(np.sort(leads * np.sign(lead))[::-1])
    flipped = np.flatnonzero(taken > abs(lead))
    if len(flipped) == 0:
        reason = f"Whichever {unit} are dropped, the other checkpoint does not lead."
        return Flip(unit=unit, count=None, share=None, state=State.UNBEATABLE, reason=reason)
    count = int(flipped[0]) + 1
    return Flip(unit=unit, count=count, share=count / len(leads), state=State.DEFINED, reason="")
