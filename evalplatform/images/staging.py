"""What an import has come to, in a file: so that memory stays flat and a killed one goes on.

`var/imports/NAME.sqlite` holds the rows of this run, and of every image that was stored, in this
run or in one before, what it became. No row of the database is written until all is there. Nobody
else imports under the same name meanwhile. What nobody went on with for a week is removed.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL
from django.conf import settings

from evalplatform.core.errors import BadInputError
from evalplatform.core.sqlite_files import open_file
from evalplatform.core.stored_images import StoredImage
from evalplatform.images.faults import RowError
from evalplatform.images.reading.rows import GivenImage

if TYPE_CHECKING:  # processes that decode read this module without Django's models
    from evalplatform.promptsets.models import Prompt

_KEPT_SECONDS = 7 * 24 * 3600
# What was made by other code is made anew.
_MADE_BY = f"2, Pillow {PIL.__version__}"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS made_by (version TEXT);
CREATE TABLE IF NOT EXISTS made (
    source_sha256 TEXT PRIMARY KEY, name TEXT, sha256 TEXT, width INTEGER, height INTEGER,
    pixels_sha256 TEXT, is_constant INTEGER
) WITHOUT ROWID;
DROP TABLE IF EXISTS given;
CREATE TABLE given (
    position INTEGER PRIMARY KEY, place TEXT, file TEXT, prompt INTEGER, prompt_position INTEGER,
    seed INTEGER, caption TEXT, metadata TEXT, source_sha256 TEXT
);
CREATE UNIQUE INDEX given_seed ON given (prompt, seed) WHERE prompt IS NOT NULL;
CREATE UNIQUE INDEX given_source ON given (coalesce(prompt, -1), source_sha256);
"""
# Each prompt's images by seed; pools as they were given.
_FINISHED = """
SELECT
    row_number() OVER whole - 1, given.prompt,
    CASE WHEN given.prompt IS NULL THEN NULL
        ELSE row_number() OVER (PARTITION BY given.prompt ORDER BY seed IS NULL, seed, position) - 1
    END,
    seed, caption, made.name, made.sha256, given.source_sha256, made.pixels_sha256,
    made.is_constant, made.width, made.height, metadata, prompt_position
FROM given JOIN made USING (source_sha256)
WINDOW whole AS (ORDER BY prompt_position, seed IS NULL, seed, position)
ORDER BY 1
"""


class Staging:
    """An import's rows and images. Use `staging(name)`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_file(path)
        try:
            self._begin()
        except BaseException:
            self._connection.close()
            raise

    def _begin(self) -> None:
        # A kill loses nothing; after a power cut the import starts anew.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)
        if self._one("SELECT version FROM made_by") != _MADE_BY:
            self._connection.execute("DELETE FROM made")
            self._connection.execute("DELETE FROM made_by")
            self._connection.execute("INSERT INTO made_by VALUES (?)", [_MADE_BY])
        self.begun_before = bool(self._one("SELECT count(*) FROM made"))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what follows at once."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:  # a full disk has taken it back already
                self._connection.execute("COMMIT")

    def add(self, position: int, row: GivenImage, prompt: "Prompt | None") -> None:
        """Take a row. Raises `RowError` where its prompt has an image of this seed."""
        values = (
            position, row.where, str(row.file) if row.file else None,
            prompt and prompt.pk, prompt and prompt.position, row.seed, row.caption,
            json.dumps(row.metadata),
        )  # fmt: skip
        try:
            self._connection.execute("INSERT INTO given VALUES (?,?,?,?,?,?,?,?,NULL)", values)
        except sqlite3.IntegrityError:
            first = self._one(
                "SELECT place FROM given WHERE prompt = ? AND seed = ?", values[3], row.seed
            )
            why = f"its prompt has an image of seed {row.seed} already ({first})"
            raise RowError("repeated", why) from None

    def finish(self, position: int, source_sha256: str, image: StoredImage) -> None:
        """Note what a row's image became. Raises `RowError` where its prompt has the same file."""
        self._connection.execute(
            "INSERT OR REPLACE INTO made VALUES (?,?,?,?,?,?,?)", [source_sha256, *astuple(image)]
        )
        try:
            self._connection.execute(
                "UPDATE given SET source_sha256 = ? WHERE position = ?", [source_sha256, position]
            )
        except sqlite3.IntegrityError:
            prompt = self._one("SELECT prompt FROM given WHERE position = ?", position)
            first = self._one(
                "SELECT place FROM given WHERE prompt IS ? AND source_sha256 = ?",
                prompt, source_sha256,
            )  # fmt: skip
            raise RowError("repeated", f"is the same file as {first}") from None

    def where(self, position: int) -> str:
        return str(self._one("SELECT place FROM given WHERE position = ?", position))

    def count(self) -> int:
        return int(self._one("SELECT count(*) FROM given"))

    def waiting(self, rows: int = 1000) -> Iterator[tuple[int, str | None]]:
        """Yield position and file of every row, in their order; others may be written meanwhile."""
        last = -1
        query = "SELECT position, file FROM given WHERE position > ? ORDER BY position LIMIT ?"
        while found := self._connection.execute(query, [last, rows]).fetchall():
            yield from found
            last = found[-1][0]

    def prompts(self) -> set[int]:
        """Return the prompts whose images are stored."""
        query = "SELECT DISTINCT prompt FROM given WHERE source_sha256 IS NOT NULL"
        return {row[0] for row in self._connection.execute(query)}

    def finished(self) -> Iterator[tuple[Any, ...]]:
        """Yield the collection's rows to be, in order; the prompt's place in its set comes last."""
        return iter(self._connection.execute(_FINISHED))

    def forget(self) -> None:
        """Let go of everything: the collection has it."""
        self._connection.execute("DELETE FROM made")

    def close(self) -> None:
        """Remove the file where it holds nothing that another run could go on with."""
        is_empty = not self._one("SELECT count(*) FROM made")
        self._connection.close()
        if is_empty:
            forget_import(self.path.stem)

    def _one(self, query: str, *values: Any) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return row and row[0]


class MadeBefore:
    """What earlier runs stored, read by the processes that decode."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=60)

    def find(self, source_sha256: str) -> StoredImage | None:
        """Return what a file of this hash became, None where none was stored."""
        query = "SELECT * FROM made WHERE source_sha256 = ?"
        row = self._connection.execute(query, [source_sha256]).fetchone()
        return row and StoredImage(*row[1:])

    def close(self) -> None:
        self._connection.close()


@contextmanager
def staging(name: str) -> Iterator[Staging]:
    """Hold the import of this name. Raises `BadInputError` where another process holds it."""
    with _held(name) as path:
        if path is None:
            raise BadInputError(
                f"an import named {name!r} is running; wait for it, or choose another name."
            )
        try:
            staged = Staging(path)
        except sqlite3.DatabaseError:  # after a power cut
            path.unlink()
            staged = Staging(path)
        try:
            yield staged
        finally:
            staged.close()


def forget_import(name: str) -> None:
    """Remove what an import staged: called while it is held."""
    for path in (_folder() / f"{name}.sqlite", _folder() / f"{name}.sqlite-journal"):
        path.unlink(missing_ok=True)


def abandoned(now: float | None = None) -> Iterator[str]:
    """Yield the name of every import that nobody went on with for a week, holding it meanwhile."""
    for path in sorted(_folder().glob("*.sqlite")):
        with suppress(FileNotFoundError):
            if (now or time.time()) - path.stat().st_mtime < _KEPT_SECONDS:
                continue
            with _held(path.stem) as held:
                if held:
                    yield path.stem


@contextmanager
def _held(name: str) -> Iterator[Path | None]:
    """Yield an import's file, locked until the end; None where another process has it."""
    path = _folder() / f"{name}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield path
    finally:
        os.close(lock)


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "imports"
