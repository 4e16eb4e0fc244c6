"""A first look at a file: its columns, before anybody says which one holds what."""

import csv
import json

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.text import decode, lines_of

_MOST = 60


def columns_found(content: bytes, *, format: str, name: str) -> list[str]:
    """Return the names of a file's columns; none where every line is a prompt.

    Raises `BadInputError` where the file is no text.
    """
    if format == "parquet":
        found = _of_parquet(content)
    else:
        text = decode(content, name)
        found = _of_json(text) if format in ("json", "jsonl") else _of_lines(text, format)
    return [each for each in found if each][:_MOST]


def _of_lines(text: str, format: str) -> list[str]:
    lines = lines_of(text)
    if lines[0].strip().lower().startswith("sep=") and len(lines) > 1:
        lines = lines[1:]
    if format in ("txt", "txt or tsv") and "\t" not in lines[0]:
        return []
    rows = [next(csv.reader(lines[:1], delimiter=each), []) for each in ("\t", ";", ",")]
    if format == "tsv":
        rows = rows[:1]
    return [each.strip() for each in max(rows, key=len)]


def _of_json(text: str) -> list[str]:
    start = text.lstrip()
    try:
        value = (
            json.loads(text)[0] if start.startswith("[") else json.loads(start.partition("\n")[0])
        )
    except (ValueError, IndexError, RecursionError):
        return []
    return [str(each) for each in value] if isinstance(value, dict) else []


def _of_parquet(content: bytes) -> list[str]:
    from pyarrow import ArrowException, BufferReader, parquet

    try:
        names = parquet.ParquetFile(BufferReader(content)).schema_arrow.names
    except (ArrowException, OSError, ValueError, MemoryError) as error:
        raise BadInputError("this file cannot be read as parquet; write it again.") from error
    return [str(each) for each in names]
