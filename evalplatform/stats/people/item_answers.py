"""Who answered what on each item, as sparse tables small enough to keep beside the votes.

A row is an item, a column an (annotator, label) and an entry how often that answer was given. The
rows come in parts of whole items that share one column of ones, so that a vote takes the four
bytes of its column number and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from ..inference.clustering import FloatArray
from ..votes.chunking import CHUNK, blocks, count_codes, row_sums, smallest_unsigned
from ..votes.columns import Groups, IntColumn


@dataclass(frozen=True, eq=False)
class ItemAnswers:
    """Items x (annotator, label) in parts; `table @ x` and `table.T @ x` without the whole table.

    Attributes:
        parts: the items of each part and its table.
        n_items, n_answers: of rows and of columns in all.
        n_classes: labels run from 0 to n_classes - 1; column annotator * n_classes + label.
    """

    parts: tuple[tuple[slice, sparse.csr_array], ...]
    n_items: int
    n_answers: int
    n_classes: int

    @classmethod
    def of(cls, item: Groups, annotator: Groups, label: IntColumn, n_classes: int) -> ItemAnswers:
        n_answers = annotator.count * n_classes
        answer = np.empty(len(label), dtype=np.int32)
        done = 0
        codes = np.asarray(item.codes).astype(smallest_unsigned(item.count), copy=False)
        for rows in blocks(codes):
            columns = annotator.codes[rows].astype(np.int64) * n_classes + label[rows]
            answer[done : done + len(rows)] = columns
            done += len(rows)
        starts = np.zeros(item.count + 1, dtype=np.int64)
        np.cumsum(count_codes(codes, item.count), out=starts[1:])
        # A part's product with a column of answers is one number for every answer there is, so a
        # part is not smaller than that.
        parts = tuple(_parts(answer, starts, n_answers, max(CHUNK, n_answers)))
        return cls(parts, item.count, n_answers, n_classes)

    @cached_property
    def _turned(self) -> tuple[sparse.csc_array, ...]:
        """Each part's table on its side; it shares the table's memory."""
        return tuple(table.T for _, table in self.parts)

    def shares(self) -> FloatArray:
        """The share of each label in each item: n_items x n_classes."""
        shares = np.empty((self.n_items, self.n_classes))
        label_of = np.tile(np.eye(self.n_classes), (self.n_answers // self.n_classes, 1))
        for items, table in self.parts:
            counts = table @ label_of
            shares[items] = counts / row_sums(counts)[:, None]
        return shares

    def sum_over_items(self, values: FloatArray) -> FloatArray:
        """table.T @ values: n_answers x columns of values (n_items x columns)."""
        total = np.zeros((self.n_answers, values.shape[1]))
        for (items, _), turned in zip(self.parts, self._turned, strict=True):
            total += turned @ values[items]
        return total


def _parts(
    answer: np.ndarray, starts: IntColumn, n_answers: int, size: int
) -> Iterator[tuple[slice, sparse.csr_array]]:
    n_items, first = len(starts) - 1, 0
    ones = np.ones(min(size, len(answer)))
    while first < n_items:
        last = int(np.searchsorted(starts, starts[first] + size, side="right")) - 1
        last = max(last, first + 1)  # an item with more votes than that is a part of its own
        begin, end = int(starts[first]), int(starts[last])
        data = ones[: end - begin] if end - begin <= len(ones) else np.ones(end - begin)
        bounds = (starts[first : last + 1] - begin).astype(np.int32)
        shape = (last - first, n_answers)
        yield slice(first, last), sparse.csr_array((data, answer[begin:end], bounds), shape=shape)
        first = last
