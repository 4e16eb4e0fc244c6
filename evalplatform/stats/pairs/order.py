"""Do people prefer otherwise, or tie more often, later in their work?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..inference.estimates import Estimate
from ..votes.columns import BoolColumn, IntColumn, Votes
from .difference import NetDifference, compare_nets
from .rates import net_and_ties


@dataclass(frozen=True, kw_only=True)
class OrderEffect:
    """The first half of each annotator's votes beside the second, see `order_effect`.

    Attributes:
        net: `first` and `second` hold the net of each half; value, interval and test are of the
            first less the second.
        ties_first, ties_second: the share of ties in each half.
        n_left_out: votes in no half: the middle one of everybody with an odd number.
    """

    net: NetDifference
    ties_first: Estimate
    ties_second: Estimate
    n_left_out: int


def order_effect(votes: Votes, level: float = 0.95) -> OrderEffect | None:
    """Compare the first half of each annotator's votes with their second; None without two votes.

    Votes are in the order in which they were cast.

    Formula. Of an annotator's m votes the first and the last floor(m / 2) are the halves. The
    difference of their nets is that of `compare_nets`: every annotator is in both halves and most
    prompts are, and what they share is accounted for.

    How to read. An interval that holds 0 shows no drift. It tells drift from prompts only where
    annotators meet the prompts in different orders; where all begin at the same one, the second
    half is of other prompts. More ties later are a sign of fatigue, or of learning to see less.

    >>> votes = Votes([0, 0, 2, 2, 0, 2, 1, 2], [1, 2, 3, 4, 3, 4, 1, 2], [1] * 4 + [2] * 4,
    ...               [1, 2, 3, 4, 3, 4, 1, 2])
    >>> effect = order_effect(votes)
    >>> effect.net.first.value, effect.net.second.value, effect.ties_second.value
    (0.5, -0.75, 0.25)
    """
    first, second = halves(votes.annotator)
    if not first.any():
        return None
    parts = votes.where(first), votes.where(second)
    rates = net_and_ties(parts[0], level), net_and_ties(parts[1], level)
    return OrderEffect(
        net=compare_nets(
            *parts,
            level,
            names=("first half", "second half"),
            nets=(rates[0][0], rates[1][0]),
        ),
        ties_first=rates[0][1],
        ties_second=rates[1][1],
        n_left_out=int(np.count_nonzero(~(first | second))),
    )


def halves(annotator: IntColumn) -> tuple[BoolColumn, BoolColumn]:
    """Which votes are in the first half of their annotator's, and which in the second.

    `annotator` is in the order cast. The middle vote of an odd number is in neither.
    """
    _, codes, counts = np.unique(annotator, return_inverse=True, return_counts=True)
    by_person = np.argsort(codes, kind="stable")
    starts = np.cumsum(counts) - counts
    nth = np.empty(len(codes), dtype=np.int64)
    nth[by_person] = np.arange(len(codes)) - np.repeat(starts, counts)
    half = counts[codes] // 2
    return nth < half, nth >= counts[codes] - half
