"""Prompt files whose rows are lines: CSV, TSV, and one prompt a line."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.columns import Chosen, check_header, fields_of
from evalplatform.promptsets.reading.quotes import unquoted_table
from evalplatform.promptsets.reading.source import MAX_FILE_BYTES
from evalplatform.promptsets.reading.text import lines_of
from evalplatform.promptsets.reading.words import one_line, shown

# A prompt may be as long as a file. The module's own limit, 128 KiB, holds for a whole process.
csv.field_size_limit(MAX_FILE_BYTES)
_SEPARATORS = (",", ";", "\t")  # Excel writes semicolons where a comma is the decimal point

Numbered = Iterable[tuple[int, list[str]]]


@dataclass(frozen=True)
class PromptTable:
    """What a file holds, before it is prompts.

    Attributes:
        unit: what a row's number counts, from 1: "line", "entry" or "row".
        rows: each row's number and values, by column.
        notes: what was done to the file that a person should know.
    """

    unit: str
    rows: Iterable[tuple[int, Mapping[str, Any]]]
    notes: list[str] = field(default_factory=list)


def read_csv(text: str, name: str, chosen: Chosen) -> PromptTable:
    """Read CSV, parted by commas, semicolons or tabs: by that which finds a column of prompts."""
    first, _, rest = text.partition("\n")
    if first.strip().lower() in [f"sep={each}" for each in _SEPARATORS]:  # a line that Excel reads
        return _table(_csv_rows(rest, first.strip()[-1], name, skipped=1), name, chosen)
    separator = next(
        (each for each in _SEPARATORS if _finds_prompts(text, each, name, chosen)), ","
    )
    return _table(_csv_rows(text, separator, name), name, chosen)


def read_tsv(text: str, name: str, chosen: Chosen) -> PromptTable:
    """Read TSV: one line a row, quotation marks as they stand unless a spreadsheet set them."""
    quoted = unquoted_table(text)
    if quoted.rows is not None:
        return _table(quoted.rows, name, chosen, quoted.notes)
    rows = ((number, line.split("\t")) for number, line in enumerate(lines_of(text), start=1))
    return _table(rows, name, chosen, quoted.notes)


def read_txt(text: str, name: str, chosen: Chosen) -> PromptTable:
    """Read one prompt a line; lines without any are passed over."""
    if chosen:
        raise BadInputError(f"{name}: columns are for tables; here every line is a prompt.")
    lines = enumerate(lines_of(text), start=1)
    return PromptTable(
        "line", ((number, {"prompt": line}) for number, line in lines if line.strip())
    )


def read_txt_or_tsv(text: str, name: str, chosen: Chosen) -> PromptTable:
    """Read what is only called .txt: Excel's “Unicode text” is a table, most others are lists."""
    header = lines_of(text)[0].split("\t")
    if len(header) > 1 and ("prompt" in fields_of(header, chosen, name) or chosen):
        return read_tsv(text, name, chosen)
    if fields_of(header, {}, name):
        raise BadInputError(
            f"{name}: line 1 is {shown(header[0])}; say that the format is tsv if that names the "
            "column, or txt if it is a prompt.",
            by_command="--format says it.",
        )
    return read_txt(text, name, chosen)


def _finds_prompts(text: str, separator: str, name: str, chosen: Chosen) -> bool:
    header = next(iter(_csv_rows(text, separator, name)), (0, []))[1]
    columns = [column.strip() for column in header]
    return "prompt" in fields_of(columns, chosen, name)


def _csv_rows(
    text: str, separator: str, name: str, skipped: int = 0
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for fields in reader:
            yield start + skipped, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise BadInputError(
            f"{name}: line {start + skipped} is not valid CSV ({one_line(str(error), 100)}); quote "
            "fields that hold separators, quotes or line breaks."
        ) from error


def _table(rows: Numbered, name: str, chosen: Chosen, notes: Iterable[str] = ()) -> PromptTable:
    """Return the rows below a header; those without any text are passed over."""
    numbered = ((number, fields) for number, fields in rows if any(fields))
    header = [column.strip() for column in next(numbered, (0, []))[1]]
    if not header:
        raise BadInputError(f"{name} is empty; give a file with at least one prompt.")
    check_header(header, chosen, name)
    twice = [each for each, count in Counter(header).items() if count > 1 and each]
    used = fields_of(header, chosen, name).values()
    if {*twice} & {*used}:
        raise BadInputError(f"{name} has two columns {shown(twice[0])}; rename or remove one.")
    return PromptTable("line", _below(numbered, header, name), [*notes])


def _below(rows: Numbered, header: list[str], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    width = len(header)
    for number, fields in rows:
        if any(fields[width:]):
            raise BadInputError(
                f"{name}: line {number} has {len(fields)} fields, the header has {width}; remove "
                "or quote the extra separators."
            )
        yield number, dict(zip_longest(header, fields[:width], fillvalue=""))
