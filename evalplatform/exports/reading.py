"""Rows out of PostgreSQL by a server-side cursor: however many there are, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

Row = tuple[Any, ...]


@contextmanager
def snapshot() -> Iterator[None]:
    """Read as of one moment whatever is read inside: votes, people and results agree.

    Where a transaction runs already, that one decides.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


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
