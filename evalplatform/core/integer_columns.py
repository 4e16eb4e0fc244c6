"""Whole columns of integers out of PostgreSQL, without a Python object per value or row.

The database itself strings the values of a column together, each in network order, so what
arrives is one row of one array a column. Reading rows, by COPY too, costs a call for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from django.db import connection

_WIDTH = {"int2": 2, "int4": 4, "int8": 8}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class IntegerColumn:
    """A column to read: its name, an SQL expression that is never null, and its type."""

    name: str
    expression: str
    type: str  # int2, int4 or int8

    @property
    def as_bytes(self) -> str:
        """SQL of all its values in one byte string."""
        return f"string_agg({self.type}send(({self.expression})::{self.type}), '')"

    def values(self, sent: bytes | None) -> Array:
        """The values in the machine's byte order, of which the database sent these bytes."""
        width = _WIDTH[self.type]
        return np.frombuffer(sent or b"", f">i{width}").astype(f"i{width}")


def read_columns(columns: Sequence[IntegerColumn], source: str) -> dict[str, Array]:
    """Return each column of `SELECT ... {source}` as an array of its type.

    Entry i of each is of the same row; rows come in no particular order, so `source` needs no
    ORDER BY. It is SQL from FROM on and is trusted: put no text of a user into it. Memory is twice
    that of the arrays. A column may have 2**30 bytes. Raises `ValueError` naming the column that
    is null somewhere.
    """
    listed = ", ".join(each.as_bytes for each in columns)
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(f"SELECT count(*), {listed} {source}".encode(), binary=True)
        (row,) = cursor.fetchall()
    found = {each.name: each.values(sent) for each, sent in zip(columns, row[1:], strict=True)}
    for each in columns:
        if len(found[each.name]) != row[0]:  # a null adds no bytes
            raise ValueError(f"{each.name} ({each.expression}) is null in some row.")
    return found
