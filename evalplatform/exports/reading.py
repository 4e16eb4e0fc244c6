"""Rows out of PostgreSQL by a server-side cursor: however many there are, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.db import connection

Row = tuple[Any, ...]


class RowStream:
    """A statement's rows, of the moment at which this was made.

    The cursor outlives its transaction (WITH HOLD): the database keeps the rows, so that progress
    can be written down meanwhile and no transaction stays open for minutes.
    """

    def __init__(self, statement: str, values: Mapping[str, Any], *, skip: int = 0) -> None:
        connection.ensure_connection()
        self._cursor = psycopg.ServerCursor(connection.connection, "export_rows", withhold=True)
        with connection.wrap_database_errors:
            # Trusted text and parameters: statements are ours alone.
            self._cursor.execute(f"{statement} OFFSET {skip:d}".encode(), values, binary=True)

    def blocks(self, size: int) -> Iterator[list[Row]]:
        """Yield the rows, at most `size` at a time."""
        with connection.wrap_database_errors:
            while block := self._cursor.fetchmany(size):
                yield block

    def close(self) -> None:
        """Let the database forget the rows."""
        self._cursor.close()
