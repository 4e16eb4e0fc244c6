"""Near-duplicates among fingerprints: which images have a better one nearly like them.

Bits are cut into bands; two hashes that differ in at most h bits agree in all bits of at least b-h
of b bands. So pairs are looked for among images that agree in such bands, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]


def worse_copies(
    hashes: Bits, colours: Bits, *, hamming: int, levels: int, inner: Sequence[Bits] = ()
) -> Rows:
    """Return the rows to drop, in rising order; rows stand best first.

    From the best to the worst: an image is dropped where one that stays differs from it in at most
    `hamming` bits of its hash (N,) and at most `levels` of 32 in each mean colour (N,). With
    `inner`, hashes of the images' middles (N,) each, also where the middle of one is so near to
    the whole of the other.
    """
    first, second = _pairs(hashes, hamming)
    if inner:
        pairs = [(first, second), *_of_middles(hashes, inner, hamming)]
        first, second = np.unique(np.concatenate(pairs, axis=1), axis=1)
    near = furthest_colour(colours[first], colours[second]) <= levels
    return _resolved(first[near], second[near])


def _of_middles(hashes: Bits, inner: Sequence[Bits], hamming: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield pairs of rows (first < second): the middle of one beside the whole of the other."""
    count = len(hashes)
    for middles in inner:
        one, other = _pairs(np.concatenate([hashes, middles]), hamming)
        crossed = (one < count) & (other >= count) & (other - count != one)
        pair = np.sort(np.stack([one[crossed], other[crossed] - count]), axis=0)
        yield pair[0], pair[1]


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


def furthest_colour(one: Bits, other: Bits | np.uint64) -> npt.NDArray[np.int64]:
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
