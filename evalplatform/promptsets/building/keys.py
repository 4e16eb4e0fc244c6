"""Keys of very many texts in files: which texts share one, found part by part in flat memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_A_TIME = 500_000

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def of_file(path: Path, kind: type) -> NDArray[Any]:
    """Return a file's values, which stay on the disk."""
    if not path.stat().st_size:  # which cannot be mapped
        return np.empty(0, kind)
    return np.memmap(path, kind, mode="r")


def with_the_first(keys: NDArray[np.uint64]) -> Iterator[Pairs]:
    """Yield places of texts that share a key: the first of them, and each other."""
    for places, begins in _by_key(keys):
        same = np.flatnonzero(~begins)
        yield places[_first(begins, same)], places[same]


def with_the_first_and_the_one_before(keys: NDArray[np.uint64]) -> Iterator[Pairs]:
    """Yield places as `with_the_first` does, and then each with the one before it."""
    for places, begins in _by_key(keys):
        same = np.flatnonzero(~begins)
        first = _first(begins, same)
        yield places[first], places[same]
        others = same[first != same - 1]
        yield places[others - 1], places[others]


def _first(begins: NDArray[np.bool_], same: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.flatnonzero(begins)
    return starts[np.searchsorted(starts, same, side="right") - 1]


def _by_key(keys: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Places in the order of their keys, and where another key begins: a part of all at a time.

    A part has those keys that are equal modulo the number of parts, so that memory is one part's.
    Each part looks through all keys: of ten million that is a hundredth of a build's time.
    """
    parts = -(-len(keys) // _AT_A_TIME)
    for part in range(parts):
        places = np.concatenate(
            [
                at + np.flatnonzero(keys[at : at + _AT_A_TIME] % np.uint64(parts) == part)
                for at in range(0, len(keys), _AT_A_TIME)
            ]
        )
        own = keys[places]
        order = np.argsort(own, kind="stable")
        own = own[order]
        yield places[order], np.concatenate([[True], own[1:] != own[:-1]])[: len(own)]
