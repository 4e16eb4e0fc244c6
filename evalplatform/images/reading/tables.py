"""CSV, TSV and JSONL: a row an image, which lies in a file or (JSONL) in the row itself."""

import base64
import binascii
import csv
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from evalplatform.core.csv_text import separator_of
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import text_lines
from evalplatform.images.faults import RowError
from evalplatform.images.reading.rows import (
    GivenImage,
    RowReader,
    fields_of,
    given_image,
    image_in_file,
    our_columns,
)

_FIRST_LINES = 100  # whose keys say which columns there are


class CsvRows(RowReader):
    """A table with a header; its images are files, relative to the table."""

    def __init__(self, path: Path, columns: Mapping[str, str], *, needs_prompt: bool) -> None:
        self._path = path
        is_tsv = path.suffix.lower() == ".tsv"
        self._delimiter = "\t" if is_tsv else separator_of(next(text_lines(path), ""))
        header = next(self._parsed(), (0, []))[1]
        self._header = [column.strip() for column in header]
        self._found = our_columns(self._header, columns, path.name, needs_prompt=needs_prompt)
        # A spreadsheet leaves columns without a name beside what was once typed.
        named = [column for column in self._header if column]
        if len(set(named)) != len(named):
            raise BadInputError(f"{path.name} has two columns of one name; rename one.")

    def _located(self) -> Iterator[tuple[str, list[str]]]:
        parsed = self._parsed()
        next(parsed)
        return ((f"line {number}", fields) for number, fields in parsed)

    def _parsed(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(text_lines(self._path), delimiter=self._delimiter, strict=True)
        try:
            for fields in reader:
                if any(field.strip() for field in fields):  # else emptied in a spreadsheet
                    yield reader.line_num, fields
        except csv.Error as error:
            raise BadInputError(
                f"{self._path.name}: line {reader.line_num} is not valid CSV ({error}); quote "
                "fields that hold separators, quotes or line breaks."
            ) from error

    def _row(self, where: str, fields: list[str]) -> GivenImage:
        if len(fields) != len(self._header):
            raise RowError("row", f"{len(fields)} fields, the header has {len(self._header)}")
        values = dict(zip(self._header, fields, strict=True))
        ours = {name: values.pop(column) for name, column in self._found.items()}
        return image_in_file(where, ours, values, ours["image"].strip(), self._path.parent)


class JsonRows(RowReader):
    """One object a line. An image is a path, or as a hub's library writes it: {bytes, path}."""

    def __init__(self, path: Path, columns: Mapping[str, str], *, needs_prompt: bool) -> None:
        self._path = path
        self._chosen = columns
        keys: dict[str, None] = {}  # in order
        try:
            for _, line in islice(self._located(), _FIRST_LINES):
                keys |= dict.fromkeys(_object(line))
        except RowError as error:
            if not keys:
                raise BadInputError(f"{path.name}: its first line {error}.") from error
        our_columns([*keys], columns, path.name, needs_prompt=needs_prompt)

    def embedded(self) -> Iterator[bytes | Path | None]:
        for _, line in self._located():
            try:
                values = _object(line)
                yield _bytes_of(values.get(fields_of(values, self._chosen)["image"]))
            except (RowError, KeyError):
                yield None

    def _located(self) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(text_lines(self._path), start=1):
            if line.strip():
                yield f"line {number}", line

    def _row(self, where: str, line: str) -> GivenImage:
        values = _object(line)
        fields = fields_of(values, self._chosen)
        ours = {name: values.pop(column, None) for name, column in fields.items()}
        image = ours.get("image")
        if _bytes_of(image) is not None:
            return given_image(where, ours, values, None)
        path = image.get("path") if isinstance(image, dict) else image
        return image_in_file(where, ours, values, path, self._path.parent)


def _object(line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = getattr(error, "msg", "nested too deeply")
        raise RowError("row", f"is not JSON ({said})") from None
    if not isinstance(values, dict):
        raise RowError("row", 'is no object such as {"image": "0.png", "prompt": "a red bicycle"}')
    return values


def _bytes_of(image: Any) -> bytes | None:
    """Return the base64 bytes of an image struct, None where it has none."""
    text = image.get("bytes") if isinstance(image, dict) else None
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise RowError("row", "the bytes of its image are not base64 text") from None
