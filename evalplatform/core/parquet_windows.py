"""How many rows of a Parquet row group may be read at once, by the pages that they touch.

A page is unpacked whole for one of its rows, and a page may hold one giant cell: so what some rows
come to is what all pages that they touch come to.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """What a column comes to in a row group.

    Attributes:
        dictionary: bytes of its largest dictionary unpacked.
        repeated: bytes of the longest text that few bytes may put into many rows; 0 for none.
        pages: how many, with dictionaries.
        sizes: bytes of each data page unpacked; none of a column of lists, which is bounded whole.
        values: how many rows each of these pages holds.
        largest_page: bytes of its largest data page unpacked.
    """

    dictionary: int
    repeated: int
    pages: int
    largest_page: int
    sizes: Sequence[int] = ()
    values: Sequence[int] = ()

    @property
    def largest(self) -> int:
        """Bytes of its largest page unpacked, its dictionary added."""
        return self.largest_page + self.dictionary

    def bytes_of(self, rows: int) -> int:
        """Return what any `rows` rows that follow each other come to at most."""
        return self.dictionary + rows * self.repeated + most_touched(self.sizes, self.values, rows)


def most_touched(sizes: Sequence[int], values: Sequence[int], rows: int) -> int:
    """Return the most bytes of pages that `rows` rows (at least 1) touch, wherever they begin."""
    import numpy as np

    if not len(sizes):
        return 0
    ends = np.cumsum(np.asarray(values, np.int64))
    until = np.concatenate(([0], np.cumsum(np.asarray(sizes, np.int64))))
    # Rows that begin with the last one of a page reach furthest of those that touch it.
    reached = np.searchsorted(ends - np.asarray(values, np.int64), ends - 1 + rows, "left")
    return int((until[reached] - until[:-1]).max())


def rows_within(chunks: Sequence[Chunk], rows: int, most: int) -> int:
    """Return how many rows, of `rows` at most and 1 at least, come to `most` bytes or less."""
    if sum(each.dictionary + rows * each.repeated + sum(each.sizes) for each in chunks) <= most:
        return rows
    enough, beyond = 1, rows + 1
    while beyond - enough > 1:
        middle = (enough + beyond) // 2
        if sum(each.bytes_of(middle) for each in chunks) <= most:
            enough = middle
        else:
            beyond = middle
    return enough
