"""CSV that programs read back as it was, or that Excel shows as it was.

Texts stand in quotation marks and numbers do not; an empty cell is nothing, without marks. So a
text "NA" can be told from a missing one by readers that look, and 007 from 7. For Excel there is a
mark that says UTF-8, and an apostrophe before what Excel would run as a formula.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError

MARK = "\ufeff"
# What Excel takes for the beginning of a formula.
FORMULA_STARTS = "=+-@\t\r"


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


def read_csv(path: Path) -> tuple[list[str], list[dict[str, str | None]]]:
    """Return the columns of a file in UTF-8 and its rows, all of them.

    Raises `BadInputError` for a file that cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: cannot be read ({error}).") from error
    return list(table.fieldnames or ()), rows


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
