"""A build's folder: what was read so far lies in a file of SQLite, so that memory stays flat and
a build that was stopped goes on.

    work.sqlite    how far the build is, and these tables; removed at its end
        passed     each line that the rules of single lines let pass, as it was read
        repeat     those of them that are like an earlier one
        line       those drawn from the rest, which get categories
    dropped.jsonl  each line that is not in the set, with its reason

Of millions of lines each table is written and read in the order of its numbers, and nothing is
taken out of the first: work on the disk then grows as the lines do, and no faster.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.sqlite_files import open_file

_LAYOUT = 2
"""Counts up whenever the tables or what their rows mean change."""
_FILES = ("work.sqlite", "work.sqlite-wal", "work.sqlite-shm")
_TABLES = """
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passed (
    number INTEGER PRIMARY KEY, same BLOB NOT NULL, text TEXT NOT NULL,
    original TEXT, given TEXT NOT NULL, priority INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS repeat (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS line (
    number INTEGER PRIMARY KEY, text TEXT NOT NULL,
    original TEXT, given TEXT NOT NULL, priority INTEGER NOT NULL,
    place INTEGER, category TEXT, said TEXT, judged INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS pair (
    later INTEGER, earlier INTEGER, PRIMARY KEY (later, earlier)) WITHOUT ROWID;
"""


class Workshop:
    """The folder of one build. Everything is written with `keep`, all together or not at all."""

    def __init__(self, folder: Path, *, recipe: str, log: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = self._open()
        known = self.get("recipe"), self.get("log")
        if known not in {(None, None), (recipe, log)}:
            self.database.close()
            raise BadInputError(
                f"{folder} holds an unfinished build of another log or with other options; give "
                "them as they were to go on, or another folder."
            )
        if self.get("layout") != _LAYOUT:
            self._begin_anew(recipe, log)
        self.counts = Counter(self.get("counts"))
        self._file = (folder / "dropped.jsonl").open("ab")
        # What was written after the last `keep` is dropped again, and its lines read again.
        self._file.truncate(int(self.get("bytes")))
        self.database.execute("BEGIN")

    def _open(self) -> sqlite3.Connection:
        database = open_file(self.folder / _FILES[0])
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
            database.execute(f"PRAGMA {setting}")
        database.executescript(_TABLES)
        return database

    def _begin_anew(self, recipe: str, log: str) -> None:
        """Begin with empty tables: what another version of this program left cannot be gone on
        with, and the same log and recipe give the same set from the beginning."""
        self.database.close()
        self._remove()
        self.database = self._open()
        self.database.execute("BEGIN")
        for key, value in {"recipe": recipe, "log": log, "counts": {}, "bytes": 0}.items():
            self.put(key, value)
        self.put("layout", _LAYOUT)
        self.database.execute("COMMIT")

    def _remove(self) -> None:
        for name in _FILES:
            (self.folder / name).unlink(missing_ok=True)

    def get(self, key: str) -> Any:
        """Return what is kept under a name, None for nothing."""
        row = self.database.execute("SELECT value FROM state WHERE key = ?", [key]).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Keep something under a name."""
        self.database.execute(
            "INSERT OR REPLACE INTO state VALUES (?, ?)", [key, json.dumps(value)]
        )

    def drop(self, number: int, reason: str, text: str | None, **more: Any) -> None:
        """Write down that a line is out."""
        self.counts[reason] += 1
        row = {"line": number, "reason": reason, **more} | ({} if text is None else {"text": text})
        self._file.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())

    def keep(self) -> None:
        """Make what was done since the last time outlive this process."""
        self._file.flush()
        self.put("counts", self.counts)
        self.put("bytes", self._file.tell())
        self.database.execute("COMMIT")
        self.database.execute("BEGIN")

    def rows(self, statement: str, values: Iterable[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield rows, a thousand at a time."""
        cursor = self.database.cursor()
        cursor.arraysize = 1000
        cursor.execute(statement, tuple(values))
        while found := cursor.fetchmany():
            yield from found

    def rows_of(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def close(self) -> None:
        """Leave the folder as it is for another time."""
        self._file.close()
        self.database.close()

    def finish(self) -> None:
        """Remove what only a build that goes on needs."""
        self.keep()
        self.close()
        self._remove()
