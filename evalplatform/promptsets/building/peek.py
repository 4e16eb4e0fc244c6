"""The first rows of a log, so that a person can say which column holds the prompts."""

import csv
import json
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, NamedTuple

from evalplatform.core.errors import BadInputError
from evalplatform.core.parquet_files import batches, holds_bytes, open_parquet, rows_of
from evalplatform.core.storable_json import storable_text
from evalplatform.promptsets.building.log import Log, bounded, opened
from evalplatform.promptsets.reading.words import one_line

_ROWS = 5
_LETTERS = 300  # of a value that is shown
_COLUMNS = 200
_FIRST_LINES = 50  # of JSON, whose columns are collected


class FirstRows(NamedTuple):
    """The columns of a log, and its first rows, cut to be shown; no columns: of plain text."""

    columns: list[str]
    rows: list[dict[str, str]]


def first_rows(log: Log) -> FirstRows:
    """Return a log's columns and first rows. Raises `BadInputError` where it cannot be read."""
    if log.format == "parquet":
        found = _of_parquet(log)
    else:
        read = {"jsonl": _json, "txt": _plain}.get(log.format, _table)
        try:
            with opened(log.path) as (_, file):
                found = list(islice(read(file), _FIRST_LINES))
        except (EOFError, OSError, csv.Error, zlib.error) as error:
            raise BadInputError(
                f"{log.path.name} cannot be read ({one_line(str(error), 100)}); write it again."
            ) from error
    columns = list(dict.fromkeys(name for row in found for name in row))
    if len(columns) > _COLUMNS:
        raise BadInputError(f"{log.path.name} has over {_COLUMNS} columns; leave some out.")
    rows = [{name: _shown(value) for name, value in row.items()} for row in found[:_ROWS]]
    return FirstRows([] if log.format == "txt" else [each for each in columns if each], rows)


def _plain(file: IO[str]) -> Iterator[dict[str, Any]]:
    for line in bounded(file):
        yield {"line": line.rstrip("\n")}


def _json(file: IO[str]) -> Iterator[dict[str, Any]]:
    for line in bounded(file):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        yield value if isinstance(value, dict) else {"prompt": value}


def _table(file: IO[str]) -> Iterator[dict[str, Any]]:
    head = file.readline(2**16)
    separator = max(",;\t", key=lambda each: len(next(csv.reader([head], delimiter=each), [])))
    names = [each.strip() for each in next(csv.reader([head], delimiter=separator), [])]
    if separator == "\t":  # a quotation mark is a letter there
        rows = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(file, delimiter=separator)
    for row in rows:
        if any(row):
            yield dict(zip(names, row, strict=False))


def _of_parquet(log: Log) -> list[dict[str, Any]]:
    with open_parquet(log.path, log.path.name) as file:
        fields = list(file.schema_arrow)[:_COLUMNS]
    # Images beside the prompts are not read, here as little as by the build: their names are shown.
    read = [each.name for each in fields if not holds_bytes(each.type)]
    batch = next(batches(log.path, log.path.name, read, rows=_ROWS), None) if read else None
    empty = dict.fromkeys(each.name for each in fields)
    rows = rows_of(batch, log.path.name) if batch else []
    return [empty | row for row in rows] or [empty]


def _shown(value: Any) -> str:
    said = value if isinstance(value, str) else "" if value is None else repr(value)
    return storable_text(said[:_LETTERS])
