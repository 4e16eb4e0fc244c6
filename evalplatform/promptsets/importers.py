"""Reading prompt files: PartiPrompts' TSV, and CSV or JSONL of open user input.

Texts are kept to the byte: trailing spaces and quote characters are part of a prompt. A file is
read whole or refused; the error names the line.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evalplatform.core.errors import BadInputError

FORMATS = ("tsv", "csv", "jsonl")
COLUMNS = ("prompt", "category", "challenge", "note", "tags")


@dataclass(frozen=True)
class PromptRow:
    """One prompt as a file states it."""

    text: str
    category: str = ""
    challenge: str = ""
    note: str = ""
    tags: list[str] = field(default_factory=list)


def read_prompts(content: bytes, *, format: str, name: str) -> list[PromptRow]:
    """Return the prompts of a file's `content`.

    Raises `BadInputError` for a wrong encoding, wrong columns, an empty or a duplicate prompt.
    """
    text = _decode(content, name)
    rows = _READERS[format](text, name)
    _refuse_empty_and_duplicate(rows, name)
    return [row for _, row in rows]


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInputError(
            f"{name}: line {line} is not UTF-8 (byte 0x{content[error.start]:02x}); "
            "save the file as UTF-8 and import it again."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadInputError(
            f"{name}: line {line} holds a NUL character; is this a text file? Save it as UTF-8."
        )
    return text


Numbered = list[tuple[int, PromptRow]]


def _read_tsv(text: str, name: str) -> Numbered:
    """One line a prompt, fields parted by tabs, quote characters without meaning."""
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    table = ((number, line.split("\t")) for number, line in enumerate(lines, start=1))
    return _read_table(table, name)


def _read_csv(text: str, name: str) -> Numbered:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _read_table(((reader.line_num, row) for row in reader if row), name)
    except csv.Error as error:
        raise BadInputError(
            f"{name}: line {reader.line_num} is not valid CSV ({error}); "
            "quote fields that hold commas, quotes or line breaks."
        ) from error


def _read_table(table: Iterable[tuple[int, list[str]]], name: str) -> Numbered:
    numbered = iter(table)
    _, header = next(numbered, (0, []))
    columns = [column.strip().lower() for column in header]
    _check_columns(columns, name)
    rows = []
    for number, fields in numbered:
        if len(fields) > len(columns):
            raise BadInputError(
                f"{name}: line {number} has {len(fields)} fields, the header has {len(columns)}; "
                "remove or quote the extra separators."
            )
        rows.append((number, _row(dict(zip(columns, fields, strict=False)))))
    return rows


def _check_columns(columns: list[str], name: str) -> None:
    unknown = sorted(set(columns) - set(COLUMNS))
    if "prompt" not in columns or unknown or len(set(columns)) != len(columns):
        raise BadInputError(
            f"{name}: the header is {', '.join(columns) or 'missing'}; accepted columns are "
            "Prompt (required), Category, Challenge, Note and Tags, each once."
        )


def _read_jsonl(text: str, name: str) -> Numbered:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInputError(
                f"{name}: line {number} is not JSON ({error.msg}); put one object on each line."
            ) from error
        rows.append((number, _json_row(record, name, number)))
    return rows


def _json_row(record: object, name: str, number: int) -> PromptRow:
    if not isinstance(record, dict) or not isinstance(record.get("prompt"), str):
        raise BadInputError(
            f'{name}: line {number} has no text "prompt"; '
            'each line is an object such as {"prompt": "a red bicycle", "category": "Vehicles"}.'
        )
    fields = {str(key).lower(): value for key, value in record.items()}
    _check_columns(list(fields), f"{name}, line {number}")
    tags = fields.get("tags")
    if isinstance(tags, list):
        fields["tags"] = ",".join(str(tag) for tag in tags)
    wrong = [key for key, value in fields.items() if not isinstance(value, str)]
    if wrong:
        raise BadInputError(f"{name}: line {number}: {', '.join(wrong)} must be text.")
    return _row(fields)


def _row(fields: Mapping[str, str]) -> PromptRow:
    return PromptRow(
        text=fields.get("prompt", ""),
        category=fields.get("category", "").strip(),
        challenge=fields.get("challenge", "").strip(),
        note=fields.get("note", "").strip(),
        tags=[tag.strip() for tag in fields.get("tags", "").split(",") if tag.strip()],
    )


_READERS = {"tsv": _read_tsv, "csv": _read_csv, "jsonl": _read_jsonl}


def _refuse_empty_and_duplicate(rows: Numbered, name: str) -> None:
    if not rows:
        raise BadInputError(f"{name} holds no prompts; give a file with at least one.")
    first_seen: dict[str, int] = {}
    for number, row in rows:
        if not row.text.strip():
            raise BadInputError(f"{name}: line {number} has an empty prompt; fill or remove it.")
        if row.text in first_seen:
            raise BadInputError(
                f"{name}: line {number} repeats the prompt of line {first_seen[row.text]} "
                f"({row.text[:60]!r}); remove one."
            )
        first_seen[row.text] = number
