"""SQLite files that long work keeps beside itself; what a disk refuses is told as of any file."""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}


class _Connection(sqlite3.Connection):
    """A connection whose statements raise `OSError` for what is its disk's fault, not theirs."""

    def __init__(self, path: Path, **options: Any) -> None:
        self._path = path
        super().__init__(path, **options)

    def execute(self, *given: Any) -> sqlite3.Cursor:
        with self._told_as_of_a_file():
            return super().execute(*given)

    def executemany(self, statement: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        with self._told_as_of_a_file():
            return super().executemany(statement, rows)

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        with self._told_as_of_a_file():
            return super().executescript(script)

    @contextmanager
    def _told_as_of_a_file(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            # Its lowest byte is the kind, what is above says more.
            number = _ERRORS.get((error.sqlite_errorcode or 0) & 0xFF)
            if number is None:
                raise
            raise OSError(number, os.strerror(number), str(self._path)) from error


def open_file(path: Path) -> sqlite3.Connection:
    """Open, or make, a file in which each statement is its own transaction unless one is begun."""
    return sqlite3.connect(path, isolation_level=None, factory=_Connection)
