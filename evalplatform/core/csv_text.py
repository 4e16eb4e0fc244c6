"""CSV that programs read back as it was, or that Excel shows as it was.

Texts stand in quotation marks and numbers do not; an empty cell is nothing, without marks. So a
text "NA" can be told from a missing one by readers that look, and 007 from 7. For Excel there is a
mark that says UTF-8, and an apostrophe before what Excel would run as a formula.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
