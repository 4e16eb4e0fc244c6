"""CSV, TSV, JSONL, JSON and parquet files as rows of named values, a few at a time."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from evalplatform.core.csv_text import separator_of
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import text_lines
from evalplatform.core.parquet_files import batches, holds_bytes, open_parquet, rows_of
from evalplatform.imports.faults import BadRowError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | BadRowError]]
_FIRST_ROWS = 100  # of JSON, whose keys say which columns there are
_ROWS_AT_A_TIME = 1024
_BLOCK = 1 << 20  # characters
SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


@dataclass(frozen=True)
class Table:
    """A file that was opened.

    Attributes:
        name: the file's.
        unit: what a row's number counts: "line", "row" or "entry", from 1.
        columns: in their order.
        rows: gives each row with its number, or what is wrong with it; anew at every call.
    """

    name: str
    unit: str
    columns: list[str]
    rows: Callable[[], Rows]


def open_table(path: Path) -> Table:
    """Open a table by its suffix. Raises `BadInputError` where it is none of ours, or empty."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInputError(
            f"{path}: files ending in {suffix or 'nothing'} are not read; give votes as "
            f"{', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such file; give a file of votes.")
    if path.stat().st_size == 0:
        raise BadInputError(f"{path.name} is empty; give a file with a row for each vote.")
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (".csv", ".tsv"):
        is_tsv = suffix == ".tsv"
        return _csv(path, "\t" if is_tsv else separator_of(next(_clean_lines(path), "")))
    return _json(path, "line" if suffix == ".jsonl" else "entry")


def _csv(path: Path, delimiter: str) -> Table:
    header = [column.strip() for column in next(_csv_fields(path, delimiter), (0, []))[1]]
    # A spreadsheet leaves columns without a name beside what was once typed.
    twice = next((each for each in header if each and header.count(each) > 1), None)
    if twice is not None:
        raise BadInputError(f"{path.name} has two columns {twice!r}; rename one.")

    def rows() -> Rows:
        for number, fields in islice(_csv_fields(path, delimiter), 1, None):
            if len(fields) != len(header):
                why = f"has {len(fields)} fields, the header {len(header)}"
                yield number, BadRowError("not readable", why)
            else:
                yield number, dict(zip(header, fields, strict=True))

    return Table(path.name, "line", header, rows)


def _csv_fields(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_clean_lines(path), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):  # else emptied in a spreadsheet
                yield reader.line_num, fields
    except csv.Error as error:
        raise BadInputError(
            f"{path.name}: line {reader.line_num} is not valid CSV ({error}); quote fields that "
            "hold separators, quotes or line breaks."
        ) from error


def _clean_lines(path: Path) -> Iterator[str]:
    for number, line in enumerate(text_lines(path), start=1):
        if "\0" in line:
            raise BadInputError(
                f"{path.name}: line {number} holds a NUL byte, so it is no text; write the file "
                "again as UTF-8."
            )
        yield line


def _json(path: Path, unit: str) -> Table:
    read = _json_lines if unit == "line" else _json_entries
    columns: dict[str, None] = {}  # in order
    for number, row in islice(read(path), _FIRST_ROWS):
        if isinstance(row, BadRowError) and not columns:
            raise BadInputError(f"{path.name}: {unit} {number} {row}.")
        if not isinstance(row, BadRowError):
            columns |= dict.fromkeys(row)
    return Table(path.name, unit, [*columns], lambda: read(path))


def _json_lines(path: Path) -> Rows:
    for number, line in enumerate(_clean_lines(path), start=1):
        if line.strip():
            try:
                yield number, _object(json.loads(line))
            except (ValueError, RecursionError) as error:
                said = getattr(error, "msg", "nested too deeply")
                yield number, BadRowError("not readable", f"is not JSON ({said})")


def _json_entries(path: Path) -> Rows:
    for number, entry in enumerate(_entries(path), start=1):
        yield number, _object(entry)


def _entries(path: Path) -> Iterator[Any]:
    """Yield the entries of a JSON list, or values that follow each other, a block at a time."""
    decoder, waiting, seen = json.JSONDecoder(), "", 0
    with path.open(encoding="utf-8-sig") as file:
        while True:
            waiting = waiting.lstrip(" \t\r\n,") if seen else waiting.lstrip().removeprefix("[")
            waiting = waiting.lstrip()
            try:
                if not waiting or waiting.startswith("]"):
                    raise ValueError("no entry")
                entry, end = decoder.raw_decode(waiting)
            except (ValueError, RecursionError) as error:
                # Each time twice as much, so that a long entry is not read from its start often.
                block = _read(file, max(_BLOCK, len(waiting)), path)
                if block:
                    waiting += block
                    continue
                if waiting.rstrip() in ("", "]"):
                    return
                said = getattr(error, "msg", str(error))
                raise BadInputError(
                    f"{path.name}: what follows entry {seen} is not JSON ({said}); write the file "
                    "again."
                ) from error
            yield entry
            seen, waiting = seen + 1, waiting[end:]


def _read(file: Any, size: int, path: Path) -> str:
    try:
        return str(file.read(size))
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path.name} is not UTF-8; save the file as UTF-8.") from error


def _object(value: Any) -> Row | BadRowError:
    if isinstance(value, dict):
        return value
    return BadRowError("not readable", 'is no object such as {"prompt": "a cat", "winner": "a"}')


def _parquet(path: Path) -> Table:
    with open_parquet(path, str(path)) as file:
        schema = file.schema_arrow
    # Images come as bytes beside the votes in some files; they are not read.
    names = [each.name for each in schema if not holds_bytes(each.type)]

    def rows() -> Rows:
        number = 0
        for batch in batches(path, str(path), names, rows=_ROWS_AT_A_TIME):
            for row in rows_of(batch, str(path)):
                number += 1
                yield number, row

    return Table(path.name, "row", names, rows)
