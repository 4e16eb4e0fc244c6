"""When votes determine the strengths of a gallery, and when they do not.

The strengths are finite and unique if and only if the votes rule out every direction in which the
likelihood never falls:

- every split of the arms into two groups is crossed by wins (or ties) both ways: the
  graph with an edge from winner to loser, and both ways for a tie, is strongly connected (Ford
  1957);
- for Davidson's model with ties, also theta differences cannot grow together with nu: no theta
  has a difference of at least 1 along every win and of at most 1 along every tie. By the theory
  of difference constraints there is such a theta unless the constraints hold a negative cycle,
  such as a pair won both ways.

References: Ford (1957), American Mathematical Monthly 64(8):28-33; Davidson (1970), JASA
65:317-328; for directions of recession, Geyer (2009), EJS 3:259-289.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ..inference.estimates import State
from ..votes.columns import BoolColumn, IntColumn
from .davidson import PairCounts, Ties

_SHOWN = 5


def existence(pairs: PairCounts, labels: Sequence[Hashable], ties: Ties) -> tuple[State, str]:
    """DEFINED, or why the votes leave the strengths of these arms open.

    >>> counts = np.array([[3.0, 0.0, 0.0]])
    >>> existence(PairCounts(np.array([0]), np.array([1]), counts, 2), ["x", "y"], "davidson")[1]
    "'x' never loses to the others (y), so its lead has no upper bound."
    """
    m = pairs.n_arms
    wins = pairs.counts[:, 0] > 0
    tied = pairs.counts[:, 1] > 0
    losses = pairs.counts[:, 2] > 0
    joined = components(np.r_[pairs.first], np.r_[pairs.second], m, "weak")
    if len(np.unique(joined)) > 1:
        parts = "; ".join(_named(labels, joined == one) for one in np.unique(joined))
        return State.DISCONNECTED, f"No votes link these groups of arms: {parts}."
    if not (wins | losses).any():
        return State.NO_DECIDED_VOTES, "Every vote is a tie, so no arm is ahead of another."
    winner = np.r_[pairs.first[wins | tied], pairs.second[losses | tied]]
    loser = np.r_[pairs.second[wins | tied], pairs.first[losses | tied]]
    strong = components(winner, loser, m, "strong")
    if len(np.unique(strong)) > 1:
        return State.SEPARATED, _unbeaten(labels, strong, winner, loser)
    if ties == "davidson" and tied.any() and not _bounded_with_ties(pairs, wins, tied, losses):
        reason = (
            "Every win is from a stronger to a weaker arm with no win the other way round, "
            "so strengths and ties grow together without bound. ties='half' has no such limit."
        )
        return State.SEPARATED, reason
    return State.DEFINED, ""


def usable_ties(pairs: PairCounts, labels: Sequence[Hashable]) -> tuple[Ties, State, str]:
    """Davidson's model where it has a maximum, ties as half wins where that alone has one.

    Returns the way with ties, and its `existence`.
    """
    state, reason = existence(pairs, labels, "davidson")
    if state is State.SEPARATED:
        half_state, half_reason = existence(pairs, labels, "half")
        if half_state is State.DEFINED:
            return "half", half_state, half_reason
    return "davidson", state, reason


def components(tail: IntColumn, head: IntColumn, count: int, connection: str) -> IntColumn:
    """The smallest member of each node's component, "weak" or "strong", of edges tail -> head."""
    linked = np.eye(count, dtype=np.bool_)
    linked[tail, head] = True
    if connection == "weak":
        linked |= linked.T
    linked = chained(linked)
    return np.asarray((linked & linked.T).argmax(axis=1), np.int64)


def chained(linked: BoolColumn) -> BoolColumn:
    """(M, M): whether a chain of links leads from i to j (Warshall 1962)."""
    closed = linked.copy()
    for between in range(len(closed)):
        closed |= closed[:, between, None] & closed[None, between]
    return closed


def _unbeaten(
    labels: Sequence[Hashable], strong: np.ndarray, winner: np.ndarray, loser: np.ndarray
) -> str:
    """Name the group that nothing else beats; one exists, as the components have no cycle."""
    beaten = {
        int(strong[low]) for up, low in zip(winner, loser, strict=True) if strong[up] != strong[low]
    }
    group = next(one for one in np.unique(strong) if int(one) not in beaten)
    inside = strong == group
    verb, whose = ("never loses", "its") if inside.sum() == 1 else ("never lose", "their")
    names = ", ".join(repr(one) for one in _listed(labels, inside))
    others = _named(labels, ~inside)
    return f"{names} {verb} to the others ({others}), so {whose} lead has no upper bound."


def _bounded_with_ties(
    pairs: PairCounts, wins: np.ndarray, tied: np.ndarray, losses: np.ndarray
) -> bool:
    """Whether the difference constraints hold a negative cycle: Bellman and Ford's relaxation."""
    up = np.r_[pairs.first[wins], pairs.second[losses]]
    low = np.r_[pairs.second[wins], pairs.first[losses]]
    a, b = pairs.first[tied], pairs.second[tied]
    # theta_head <= theta_tail + bound along each edge
    tail, head = np.r_[up, a, b], np.r_[low, b, a]
    bound = np.r_[np.full(len(up), -1.0), np.ones(2 * len(a))]
    theta = np.zeros(pairs.n_arms)
    for _ in range(pairs.n_arms + 1):
        lower = theta.copy()
        np.minimum.at(lower, head, theta[tail] + bound)
        if np.array_equal(lower, theta):
            return False
        theta = lower
    return True


def _listed(labels: Sequence[Hashable], inside: np.ndarray) -> list[Hashable]:
    return [label for label, kept in zip(labels, inside, strict=True) if kept]


def _named(labels: Sequence[Hashable], inside: np.ndarray) -> str:
    names = [str(one) for one in _listed(labels, inside)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
