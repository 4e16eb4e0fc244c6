"""Whole columns of integers out of PostgreSQL, without a Python object per value.

`COPY ... (FORMAT binary)` sends each row as its field count and, for each field, its length and
its bytes in network order. Where no field is null and all have fixed widths, every row has the
same layout, and a buffer of rows is an array of records.

Reference: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

_BLOCK = 1 << 20  # bytes gathered before they become arrays
_FIXED_HEADER = 15  # signature and flags; the length of an extension follows
_TRAILER = b"\xff\xff"
_WIDTH = {"int2": 2, "int4": 4, "int8": 8}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class IntegerColumn:
    """A column to read: its name, an SQL expression that is never null, and its type."""

    name: str
    expression: str
    type: str  # int2, int4 or int8


def read_columns(columns: Sequence[IntegerColumn], source: str) -> dict[str, Array]:
    """Return each column of `SELECT ... {source}` as an array of its type, rows as they come.

    `source` is SQL from FROM on and is trusted: put no text of a user into it. Memory is that of
    the arrays, of one column more and of one block. Raises `ValueError` naming the column that is
    null somewhere.
    """
    listed = ", ".join(f"({each.expression})::{each.type}" for each in columns)
    statement = f"COPY (SELECT {listed} {source}) TO STDOUT (FORMAT binary)"
    layout = _layout(columns)
    blocks: dict[str, list[Array]] = {each.name: [] for each in columns}
    waiting = bytearray()
    header = None
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in copy:
            waiting += data
            if header is None:
                header = _FIXED_HEADER + 4 + int.from_bytes(waiting[15:19])
                del waiting[:header]
            if len(waiting) >= _BLOCK:
                whole = len(waiting) // layout.itemsize * layout.itemsize
                _take(waiting[:whole], layout, columns, blocks)
                del waiting[:whole]
    if waiting[-2:] != _TRAILER:
        raise ValueError("The database ended its answer in the middle of a row; read again.")
    _take(waiting[:-2], layout, columns, blocks)
    return {name: np.concatenate(blocks.pop(name)) for name in list(blocks)}


def _layout(columns: Sequence[IntegerColumn]) -> np.dtype[Any]:
    """One row as sent: the number of fields, then length and value of each."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for each in columns:
        fields.append((f"{each.name} length", ">i4"))
        fields.append((each.name, f">i{_WIDTH[each.type]}"))
    return np.dtype(fields)


def _take(
    rows: bytearray,
    layout: np.dtype[Any],
    columns: Sequence[IntegerColumn],
    blocks: dict[str, list[Array]],
) -> None:
    """Add the columns of these rows, in the machine's byte order, to the blocks."""
    whole = len(rows) - len(rows) % layout.itemsize
    records = np.frombuffer(bytes(rows[:whole]), layout)
    # A null has length -1 and no bytes: what follows it is out of place, so the first column
    # whose length is wrong is the one.
    for each in columns:
        if (records[f"{each.name} length"] != _WIDTH[each.type]).any():
            raise ValueError(f"{each.name} ({each.expression}) is null in some row.")
    if whole != len(rows) or (records["fields"] != len(columns)).any():
        raise ValueError("A row is not as long as its columns are; some value is null.")
    for each in columns:
        blocks[each.name].append(records[each.name].astype(f"i{_WIDTH[each.type]}"))
