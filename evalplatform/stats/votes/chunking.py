"""Reading long columns a part at a time, so that temporary columns stay small and in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

IntColumn = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer[Any]]  # mostly in the smallest unsigned integers

CHUNK = 1 << 16  # rows handled at once
BLOCK = 1 << 14  # votes whose sums by cluster, one row of doubles each, are held at once
_GROUPS = 16  # of whole clusters, found and sorted one at a time


def chunks(n: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover 0 to n."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def smallest_unsigned(count: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest type that holds 0 ... count - 1."""
    return np.min_scalar_type(max(count - 1, 0))


def positions(*columns: npt.NDArray[Any]) -> tuple[list[Codes], npt.NDArray[Any]]:
    """Positions of each column's integer ids in one ascending list of ids, and that list.

    In linear time, and with little memory beside the result, where ids are not much larger than
    the columns are long.

    >>> codes, ids = positions(np.array([7, 9, 7]))
    >>> codes[0].tolist(), codes[0].dtype.name, ids.tolist()
    ([0, 1, 0], 'uint8', [7, 9])
    """
    low = min(int(column.min()) for column in columns)
    high = max(int(column.max()) for column in columns)
    if high - low >= 4 * len(columns[0]) + 1024 or high > np.iinfo(np.int64).max:
        ids, codes = np.unique(np.concatenate(columns), return_inverse=True)
        small = codes.astype(smallest_unsigned(len(ids)))
        return np.split(small, np.cumsum([len(column) for column in columns])[:-1]), ids
    present = np.zeros(high - low + 1, dtype=np.bool_)
    for column in columns:
        for rows in chunks(len(column)):
            present[column[rows].astype(np.int64) - low] = True
    found = np.flatnonzero(present)
    position = np.zeros(len(present), dtype=smallest_unsigned(len(found)))
    position[found] = np.arange(len(found))
    return [_looked_up(column, low, position) for column in columns], found + low


def _looked_up(ids: npt.NDArray[Any], low: int, position: Codes) -> Codes:
    codes = np.empty(len(ids), dtype=position.dtype)
    for rows in chunks(len(ids)):
        codes[rows] = position[ids[rows].astype(np.int64) - low]
    return codes


def count_codes(codes: Codes, count: int) -> IntColumn:
    """How often each of 0 ... count - 1 occurs; `numpy.bincount` would copy the whole column."""
    total = np.zeros(count, dtype=np.int64)
    for rows in chunks(len(codes), max(CHUNK, count)):
        total += np.bincount(codes[rows], minlength=count)
    return total


def row_sums(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sum of each row of a long table of few columns, to the last digit that of `sum(axis=1)`.

    Column by column: `sum(axis=1)` makes a loop for every row, which takes five times as long.

    >>> row_sums(np.array([[True, True], [False, True]])).tolist()
    [2, 1]
    """
    if table.shape[1] > 7:  # from eight on numpy adds in another order
        return np.asarray(table.sum(axis=1))
    total = np.zeros(len(table), dtype=np.float64 if table.dtype.kind == "f" else np.int64)
    for column in table.T:
        total += column
    return total


def column_sums(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sum of each of two columns or more, to the last digit that of `sum(axis=0)`.

    That takes four times as long, row by row."""
    return np.asarray(np.einsum("ij->j", table))


def n_present(codes: Codes) -> int:
    """How many different codes occur."""
    return int(np.count_nonzero(count_codes(codes, int(codes.max(initial=0)) + 1)))


def blocks(codes: Codes) -> Iterator[IntColumn]:
    """Positions of the votes in blocks that hold whole clusters, in order of their codes.

    Sorting group by group keeps the positions, 8 bytes each, from outweighing the votes.
    """
    ends = np.cumsum(count_codes(codes, int(codes.max()) + 1))
    for low, high in _ranges(ends, max(BLOCK, int(ends[-1]) // _GROUPS)):
        rows = np.flatnonzero((codes >= low) & (codes < high))
        rows = rows[np.argsort(codes[rows], kind="stable")]
        start = int(ends[low - 1]) if low else 0
        for first, last in _ranges(ends[low:high] - start, BLOCK):
            begin = int(ends[low + first - 1]) - start if first else 0
            yield rows[begin : int(ends[low + last - 1]) - start]


def _ranges(ends: IntColumn, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of clusters, given where each one ends, with about `size` votes and at least one."""
    low = 0
    while low < len(ends):
        begin = int(ends[low - 1]) if low else 0
        high = max(int(np.searchsorted(ends, begin + size, side="right")), low + 1)
        if int(ends[high - 1]) > begin:
            yield low, high
        low = high


def without_gaps(code: IntColumn) -> tuple[IntColumn, int]:
    """Recode to 0 ... n - 1 by marking what occurs; by sorting where that table would be large."""
    span = int(code.max()) + 1
    if span > 8 * len(code) + 1024:
        unique, cluster = np.unique(code, return_inverse=True)
        return cluster.astype(np.int64), len(unique)
    present = np.zeros(span, dtype=np.bool_)
    present[code] = True
    position = np.cumsum(present) - 1
    return position[code], int(position[-1]) + 1


def pair_blocks(
    prompt: Codes, annotator: Codes, n_annotators: int
) -> Iterator[tuple[IntColumn, IntColumn, int]]:
    """Blocks of votes with their clusters of prompt and annotator: positions, codes, how many."""
    for rows in blocks(prompt):
        code = prompt[rows].astype(np.int64)
        cluster, n = without_gaps((code - code[0]) * n_annotators + annotator[rows])
        yield rows, cluster, n
