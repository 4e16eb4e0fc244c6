"""CSV that programs read back as it was, or that Excel shows as it was.

Texts stand in quotation marks and numbers do not; an empty cell is nothing, without marks. So a
text "NA" can be told from a missing one by readers that look, and 007 from 7. For Excel there is a
mark that says UTF-8, and an apostrophe before what Excel would run as a formula.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError

MARK = "\ufeff"
# What Excel takes for the beginning of a formula.
FORMULA_STARTS = "=+-@\t\r"
_SEPARATORS = (",", ";", "\t")  # Excel writes semicolons where a comma is the decimal point


def csv_text(
    columns: Sequence[str], records: Iterable[Mapping[str, Any]], *, for_excel: bool = False
) -> str:
    """Return a header and a line for each record; what is no column of it is left out."""
    lines = [csv_header(columns, for_excel=for_excel)]
    for record in records:
        cells = (_cell(record.get(column), for_excel) for column in columns)
        lines.append(",".join(cells) + "\n")
    return "".join(lines)


def csv_header(columns: Sequence[str], *, for_excel: bool = False) -> str:
    """Return the first line of a file, with the mark before it where it is for Excel."""
    return (MARK if for_excel else "") + ",".join(columns) + "\n"


def separator_of(header: str) -> str:
    """Return what parts a table's first line: commas, semicolons or tabs, whichever is most."""
    return max(_SEPARATORS, key=header.count)


@dataclass(frozen=True)
class CsvTable:
    """What a CSV file holds.

    Attributes:
        columns: names of the header, without blanks around them.
        rows: the line that a row begins on, from 1, and its cells by column; "" for a missing one.
    """

    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]


def read_csv(path: Path) -> CsvTable:
    """Read a small file as programs and spreadsheets write it, in full.

    Cells are parted by what parts the header: commas, semicolons or tabs. It is UTF-8, or UTF-16
    with its mark (Excel's "Unicode text"). Rows whose cells are all empty are passed over. Raises
    `BadInputError` for a file that cannot be read, for a column that stands twice, and for a row
    with more cells than columns, as a comma typed within a number makes them.
    """
    text = _text_of(path)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=header.count))
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise BadInputError(f"{path}, line {start}: is no CSV ({error}).") from error
    if not rows:
        raise BadInputError(f"{path} is empty; give CSV with a header.")
    columns = [cell.strip() for cell in rows[0][1]]
    twice = next((name for name, n in Counter(columns).items() if n > 1 and name), None)
    if twice is not None:
        raise BadInputError(f"{path} has two columns {twice[:40]!r}; remove one.")
    return CsvTable(columns, [_by_column(path, columns, *row) for row in rows[1:]])


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}).") from error
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadInputError(
            f"{path} is not text in UTF-8; save the sheet as CSV (in Excel “CSV UTF-8”)."
        )
    return text


def _by_column(
    path: Path, columns: list[str], line: int, cells: list[str]
) -> tuple[int, dict[str, str]]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise BadInputError(
            f"{path}, line {line}: {len(cells)} cells, and the header has {len(columns)}; remove "
            "the separator that is too many, or put the cell that holds it in quotation marks."
        )
    return line, dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))


def _cell(value: object, for_excel: bool) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        return str(value)
    if for_excel and value[0] in FORMULA_STARTS:
        value = "'" + value
    return '"' + value.replace('"', '""') + '"'
