"""Tab-separated files that a spreadsheet wrote.

In PartiPrompts' TSV a quotation mark is a letter like any other. Spreadsheets and data frames put
fields into quotation marks instead, double those inside, and let such a field hold tabs and line
breaks. What a file is shows in its whole: every mark of it belongs to a field quoted so, and
something says that a program set them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from evalplatform.promptsets.reading.text import lines_of

_QUOTED = r'"(?:[^"]|"")*+"'
_FIELD = re.compile(rf'({_QUOTED}|[^"\t\n]*+)(\t|\n|\Z)')
_DOUBLED = re.compile(r'(?:^|\t)"[^"\t]*""[^\t]*"(?:\t|$)')


@dataclass(frozen=True)
class UnquotedTable:
    """Rows without their quotation marks; None where these are letters of the prompts."""

    rows: list[tuple[int, list[str]]] | None
    notes: list[str]


def unquoted_table(text: str) -> UnquotedTable:
    """Return the rows of a file that a spreadsheet quoted, and what to tell a person of it."""
    if '"' not in text:
        return UnquotedTable(None, [])
    lines = lines_of(text)
    rows = _quoted_rows("\n".join(lines))
    if rows is not None and _are_set_by_a_program([each for _, each in rows]):
        count = sum(_is_quoted(each) for _, fields in rows for each in fields)
        fields_put = "1 field" if count == 1 else f"{count:,} fields"
        note = (
            f"a spreadsheet put {fields_put} in quotation marks; the marks were taken off. Where "
            "they belong to the prompts, give these as JSONL."
        )
        return UnquotedTable(
            [(number, [_plain(each) for each in fields]) for number, fields in rows], [note]
        )
    doubled = next((number for number, line in enumerate(lines, 1) if _DOUBLED.search(line)), None)
    if doubled is None:
        return UnquotedTable(None, [])
    note = (
        f"line {doubled} looks as if a spreadsheet had set its quotation marks; they were kept, as "
        "other lines have marks that it would not leave so. Look at that prompt."
    )
    return UnquotedTable(None, [note])


def _quoted_rows(text: str) -> list[tuple[int, list[str]]] | None:
    """Return each row with its line, fields as they stand; None where a mark is not of a field."""
    rows: list[tuple[int, list[str]]] = []
    line, fields = 1, []
    for field, end in _fields(text):
        if field is None:
            return None
        fields.append(field)
        if end != "\t":
            rows.append((line, fields))
            line += sum(each.count("\n") for each in fields) + 1
            fields = []
    return rows


def _fields(text: str) -> Iterator[tuple[str | None, str]]:
    start = 0
    while start <= len(text):
        found = _FIELD.match(text, start)
        if found is None:
            yield None, ""
            return
        yield found[1], found[2]
        if not found[2]:
            return
        start = found.end()


def _are_set_by_a_program(rows: list[list[str]]) -> bool:
    """Whether marks are proof: of a header, doubled, round a tab or line break or every comma."""
    if any(map(_is_quoted, rows[0])):
        return True
    fields = [each for row in rows for each in row]
    quoted = [each[1:-1] for each in fields if _is_quoted(each)]
    if any(mark in each for each in quoted for mark in ('""', "\t", "\n")):
        return True
    with_comma = [each for each in fields if "," in each]
    return bool(with_comma) and all(map(_is_quoted, with_comma))


def _is_quoted(field: str) -> bool:
    return field.startswith('"')


def _plain(field: str) -> str:
    return field[1:-1].replace('""', '"') if _is_quoted(field) else field
