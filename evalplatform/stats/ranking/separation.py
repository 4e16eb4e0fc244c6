"""Arms without a finite strength, and the core of a gallery that has them.

A newcomer that won each of its comparisons has no largest likely strength: any larger one explains
its votes better. That says nothing against the strengths of the others, so it is set aside above
them, and an arm that lost everything below. An arm may turn out so only once another is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..votes.columns import BoolColumn, IntColumn
from .davidson import PairCounts
from .existence import components


@dataclass(frozen=True, eq=False)
class Layers:
    """Arms in the order that no vote contradicts.

    Attributes:
        above: sets of positions, best first, each above all that follow.
        core: positions of the arms between, which lost and won (or tied) among each other, or
            which fall into groups of two and more arms that cannot be set aside one by one.
        below: sets of positions, each above those that follow; the last is the worst.
    """

    above: tuple[IntColumn, ...]
    core: IntColumn
    below: tuple[IntColumn, ...]


def layers(pairs: PairCounts) -> Layers:
    """Set aside, again and again, single arms that never lost or never won among those left.

    >>> counts = np.array([[1.0, 0, 0], [2.0, 0, 0], [3.0, 1.0, 2.0]])  # 0 beats 1 and 2
    >>> found = layers(PairCounts(np.array([0, 0, 1]), np.array([1, 2, 2]), counts, 3))
    >>> [one.tolist() for one in found.above], found.core.tolist(), found.below
    ([[0]], [1, 2], ())
    """
    left = np.ones(pairs.n_arms, dtype=np.bool_)
    above: list[IntColumn] = []
    below: list[IntColumn] = []
    while left.sum() > 1:
        unbeaten, beaten = _single_ends(pairs, left)
        if not len(unbeaten) and not len(beaten):
            break
        if len(unbeaten):
            above.append(unbeaten)
            left[unbeaten] = False
        beaten = beaten[left[beaten]]
        if len(beaten):
            below.append(beaten)
            left[beaten] = False
    return Layers(tuple(above), np.flatnonzero(left), tuple(below[::-1]))


def _single_ends(pairs: PairCounts, left: BoolColumn) -> tuple[IntColumn, IntColumn]:
    """Arms that won all their comparisons with those left, and arms that lost all of them."""
    kept = left[pairs.first] & left[pairs.second]
    first, second, counts = pairs.first[kept], pairs.second[kept], pairs.counts[kept]
    won, tied, lost = (counts[:, outcome] > 0 for outcome in range(3))
    up = np.r_[first[won | tied], second[lost | tied]]
    down = np.r_[second[won | tied], first[lost | tied]]
    wins = np.bincount(up, minlength=pairs.n_arms) > 0
    losses = np.bincount(down, minlength=pairs.n_arms) > 0
    return np.flatnonzero(wins & ~losses), np.flatnonzero(losses & ~wins)


def groups(pairs: PairCounts) -> tuple[IntColumn, ...]:
    """The arms in groups between which there is no comparison, the largest group first.

    >>> counts = np.ones((1, 3))
    >>> [one.tolist() for one in groups(PairCounts(np.array([0]), np.array([2]), counts, 3))]
    [[0, 2], [1]]
    """
    label = components(pairs.first, pairs.second, pairs.n_arms, "weak")
    found = [np.flatnonzero(label == one) for one in np.unique(label)]
    return tuple(sorted(found, key=lambda one: (-len(one), int(one[0]))))
