"""A log of prompts as a stream: CSV, TSV, JSONL, text or Parquet, packed by gzip or not.

A log is what a machine wrote for months: one bad line is told and passed over, unlike in a file
of prompts, which is refused. Nothing is held in memory but the line in hand.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.parquet_files import batches, open_parquet, rows_of
from evalplatform.promptsets.reading.columns import Chosen, check_fields, check_header, fields_of
from evalplatform.promptsets.reading.prompts import LONGEST_LABEL
from evalplatform.promptsets.reading.words import one_line

LOG_FORMATS = ("csv", "tsv", "jsonl", "txt", "parquet")
_ENDINGS = {each: each for each in LOG_FORMATS} | {
    "ndjson": "jsonl", "jsonlines": "jsonl", "tab": "tsv", "log": "txt", "pq": "parquet",
}  # fmt: skip
_LONGEST_LINE = 2**20
_NOT_TEXT = re.compile("[\ufffd\ud800-\udfff]")


@dataclass(frozen=True)
class LogLine:
    """One line of a log: its number from 1, its prompt, and its category where it has one.

    `fault` says why there is no prompt in it.
    """

    number: int
    text: str
    category: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Log:
    """A log's file, how it is written, and which columns are what."""

    path: Path
    format: str
    columns: Chosen

    @classmethod
    def at(cls, path: Path, *, format: str | None = None, columns: Chosen | None = None) -> "Log":
        """Take a file. Raises `BadInputError` where there is none, or its format is unknown."""
        if not path.is_file():
            raise BadInputError(f"{path.name}: no such file; give a log of prompts.")
        ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
        found = format or _ENDINGS.get(ending)
        if found is None:
            raise BadInputError(
                f"{path.name}: the format cannot be told from the name; say which it is: "
                f"{', '.join(LOG_FORMATS)}.",
                by_command="--format says it.",
            )
        check_fields(columns or {})
        return cls(path, found, columns or {})

    def sha256(self) -> str:
        """Return the file's hash."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def lines(self, progress: Callable[[float], None]) -> Iterator[LogLine]:
        """Yield the lines; `progress` is told now and then which share of the file is read.

        Raises `BadInputError` for a file without a column of prompts, and one that breaks off.
        """
        try:
            if self.format == "parquet":
                yield from self._of_parquet(progress)
            else:
                yield from self._of_text(progress)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadInputError(
                f"{self.path.name} is not a whole gzip file; copy or pack it again."
            ) from error

    def _of_text(self, progress: Callable[[float], None]) -> Iterator[LogLine]:
        read = {"jsonl": self._json, "txt": self._plain}.get(self.format, self._table)
        with opened(self.path) as (raw, file):
            whole = max(1, self.path.stat().st_size)
            for line in read(file):
                if line.number % 1000 == 0:
                    progress(raw.tell() / whole)
                yield line

    def _plain(self, file: IO[str]) -> Iterator[LogLine]:
        for number, line in enumerate(bounded(file), start=1):
            yield _line(number, line.rstrip("\n"))

    def _json(self, file: IO[str]) -> Iterator[LogLine]:
        for number, line in enumerate(bounded(file), start=1):
            if line.strip():
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    yield LogLine(number, "", fault="not JSON")
                    continue
                yield self._of_values(
                    number, {"prompt": value} if isinstance(value, str) else value
                )

    def _table(self, file: IO[str]) -> Iterator[LogLine]:
        first = file.readline(_LONGEST_LINE)
        separator = "\t" if self.format == "tsv" else self._separator(first)
        header = [each.strip() for each in next(csv.reader([first], delimiter=separator), [])]
        check_header(header, self.columns, self.path.name)
        if self.format == "tsv":  # a quotation mark is a letter there
            reader = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(file, delimiter=separator)
        number = 1
        while True:
            number += 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield LogLine(number, "", fault=f"not CSV ({one_line(str(error), 60)})")
                continue
            if any(row):
                yield self._of_values(number, dict(zip(header, row, strict=False)))

    def _separator(self, header: str) -> str:
        """The separator by which the header has a column of prompts."""
        for each in (",", ";", "\t"):
            names = [name.strip() for name in next(csv.reader([header], delimiter=each), [])]
            if "prompt" in fields_of(names, self.columns, self.path.name):
                return each
        return ","

    def _of_parquet(self, progress: Callable[[float], None]) -> Iterator[LogLine]:
        name = self.path.name
        with open_parquet(self.path, name) as file:
            names, rows = [str(each) for each in file.schema_arrow.names], file.metadata.num_rows
        check_header(names, self.columns, name)
        used = sorted(set(fields_of(names, self.columns, name).values()))
        number = 0
        for batch in batches(self.path, name, used, rows=1024):
            for row in rows_of(batch, name):
                number += 1
                yield self._of_values(number, row)
            progress(number / max(1, rows))

    def _of_values(self, number: int, values: Any) -> LogLine:
        if not isinstance(values, dict):
            return LogLine(number, "", fault="neither a text nor an object")
        names = tuple(map(str, values))
        fields = _fields(names, tuple(self.columns.items()))
        if fields is None:
            fields = fields_of(names, self.columns, f"line {number}")
        text = values.get(fields.get("prompt"))
        if not isinstance(text, str):
            return LogLine(number, "", fault="no prompt")
        category = values.get(fields.get("category"))
        return _line(number, text, category if isinstance(category, str) else "")


@lru_cache(maxsize=8)
def _fields(names: tuple[str, ...], columns: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    """Our fields of a line's columns, which most lines have in common; None where not plain."""
    try:
        return fields_of(names, dict(columns), "")
    except BadInputError:
        return None


def _line(number: int, text: str, category: str = "") -> LogLine:
    if len(text) > _LONGEST_LINE:
        return LogLine(number, "", fault="over a million letters")
    if "\0" in text or not (text.isascii() or _NOT_TEXT.search(text) is None):
        return LogLine(number, "", fault="not UTF-8")
    return LogLine(number, text, category.strip()[:LONGEST_LABEL])


def bounded(file: IO[str]) -> Iterator[str]:
    """Lines, of an endless one only its beginning."""
    while line := file.readline(_LONGEST_LINE + 2):
        yield line
        while len(line) > _LONGEST_LINE and not line.endswith("\n"):
            line = file.readline(_LONGEST_LINE + 2)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Open a file of text; the first value tells how far its bytes are read."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        yield raw, io.TextIOWrapper(plain, encoding="utf-8-sig", errors="replace", newline="")
