"""Near-duplicates among fingerprints: which images have a better one nearly like them.

Bits are cut into bands; two hashes that differ in at most h bits agree in all bits of at least b-h
of b bands. So pairs are looked for among images that agree in such bands, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fingerprints:
    """Of N images, or of one window in each of them, as `scorers.duplicates` makes them, (N,)."""

    hashes: Bits
    colours: Bits
    gradients: Bits | None = None
    """None where no stage compares them."""

    def of(self, rows: Rows) -> Fingerprints:
        """Return those of some rows."""
        gradients = None if self.gradients is None else self.gradients[rows]
        return Fingerprints(self.hashes[rows], self.colours[rows], gradients)


@dataclass(frozen=True)
class Nearness:
    """How far two fingerprints of near-duplicates lie apart at most."""

    hamming: int
    """Bits of 64 of the hash."""
    colours: int = 31
    """Levels of 32 of any mean colour."""
    gradient: int = 64
    """Bits of 64 of the gradients."""

    def bits(self, one: Fingerprints, other: Fingerprints) -> npt.NDArray[np.int64]:
        """Return (N,) how many bits the hashes lie apart, 65 where it is otherwise too far."""
        bits = np.bitwise_count(one.hashes ^ other.hashes).astype(np.int64)
        near = furthest_colour(one.colours, other.colours) <= self.colours
        if self.gradient < 64 and one.gradients is not None and other.gradients is not None:
            near &= np.bitwise_count(one.gradients ^ other.gradients) <= self.gradient
        return np.where(near, bits, 65)


def worse_copies(
    whole: Fingerprints, nearness: Nearness, *, windows: Sequence[Fingerprints] = ()
) -> Rows:
    """Return the rows to drop, in rising order; rows stand best first.

    From the best to the worst: an image is dropped where one that stays is near it. With `windows`,
    of each image, also where a window of one is so near to the whole of the other.
    """
    count = len(whole.hashes)
    first, second = _pairs(whole.hashes, nearness.hamming)
    near = nearness.bits(whole.of(first), whole.of(second)) <= nearness.hamming
    pairs = [np.stack([first[near], second[near]])]
    for window in windows:
        one, other = _pairs(np.concatenate([whole.hashes, window.hashes]), nearness.hamming)
        crossed = (one < count) & (other >= count) & (other - count != one)
        one, other = one[crossed], other[crossed] - count
        near = nearness.bits(whole.of(one), window.of(other)) <= nearness.hamming
        pairs.append(np.sort(np.stack([one[near], other[near]]), axis=0))
    first, second = np.unique(np.concatenate(pairs, axis=1), axis=1)
    return _resolved(first, second)


def _pairs(hashes: Bits, hamming: int) -> tuple[Rows, Rows]:
    """Return pairs of rows (first < second) at most so many bits apart."""
    found: list[npt.NDArray[np.int64]] = []
    for mask in _masks(hamming, len(hashes)):
        part = hashes & mask
        order = np.argsort(part)
        ordered = part[order]
        left = np.flatnonzero(ordered[1:] == ordered[:-1]) if len(ordered) else np.empty(0, int)
        step = 1
        while len(left):
            one, other = order[left], order[left + step]
            near = np.bitwise_count(hashes[one] ^ hashes[other]) <= hamming
            pairs = np.stack([one[near], other[near]])
            found.append(np.sort(pairs, axis=0))
            step += 1
            left = left[left + step < len(ordered)]
            left = left[ordered[left] == ordered[left + step]]
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    every = np.unique(np.concatenate(found, axis=1), axis=1)
    return every[0], every[1]


def _masks(hamming: int, images: int) -> Iterator[np.uint64]:
    """Yield masks one of which two near hashes agree in.

    With one band more than bits may differ, few masks of few bits; for many images with more bands,
    so that fewer images agree by chance.
    """
    if hamming == 0:
        yield np.uint64(2**64 - 1)
        return
    spare = 1 if images < 50_000 else 2
    bands = min(hamming + spare, 64)
    edges = np.linspace(0, 64, bands + 1).astype(int)
    whole = [(1 << int(b)) - (1 << int(a)) for a, b in pairwise(edges)]
    for chosen in combinations(whole, bands - hamming):
        yield np.uint64(sum(chosen))


def furthest_colour(one: Bits, other: Bits) -> npt.NDArray[np.int64]:
    """Return the largest difference of a channel of a cell, in levels of 32."""
    far = np.zeros(len(one), dtype=np.int64)
    for shift in range(0, 60, 5):
        level = [np.asarray((bits >> np.uint64(shift)) & np.uint64(31)).astype(np.int64)
                 for bits in (one, other)]  # fmt: skip
        np.maximum(far, np.abs(level[0] - level[1]), out=far)
    return far


def _resolved(first: Rows, second: Rows) -> Rows:
    """Return what goes: by the rank of the better one, then of the worse one."""
    dropped: set[int] = set()
    for at in np.lexsort((second, first)).tolist():
        better, worse = int(first[at]), int(second[at])
        if better not in dropped:
            dropped.add(worse)
    return np.array(sorted(dropped), dtype=np.int64)
