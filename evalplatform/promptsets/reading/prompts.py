"""Prompts of a file's content, whatever it is written in: whole, or refused naming the line.

Texts are kept to the byte: trailing spaces and quotation marks are part of a prompt.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.reading.columns import Chosen, check_fields, fields_of
from evalplatform.promptsets.reading.parquet import read_parquet
from evalplatform.promptsets.reading.records import read_json
from evalplatform.promptsets.reading.tables import (
    PromptTable,
    read_csv,
    read_tsv,
    read_txt,
    read_txt_or_tsv,
)
from evalplatform.promptsets.reading.text import decode
from evalplatform.promptsets.reading.words import listed, shown

LONGEST_LABEL = 200  # characters of a category, a challenge or a tag
MOST_PROMPTS = 1_000_000
_LONGEST_LIST = 20_000  # characters of a cell of tags
_REPEATS_NAMED = 50
_HALF = re.compile("[\ud800-\udfff]")

_OF_TEXT: dict[str, Callable[[str, str, Chosen], PromptTable]] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_json,
    "json": read_json,
    "txt": read_txt,
    "txt or tsv": read_txt_or_tsv,
}
FORMATS = ("tsv", "csv", "jsonl", "json", "txt", "parquet")
# Endings of file names, each with how such a file is read.
ENDINGS = {each: each for each in FORMATS} | {
    "txt": "txt or tsv", "tab": "tsv", "ndjson": "jsonl", "jsonlines": "jsonl",
}  # fmt: skip


@dataclass(frozen=True)
class PromptRow:
    """One prompt as a file states it."""

    text: str
    category: str = ""
    challenge: str = ""
    note: str = ""
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PromptFile:
    """The prompts of a file in their order, and what a person should know of how it was read."""

    rows: list[PromptRow]
    notes: list[str]


def read_prompts(
    content: bytes,
    *,
    format: str,
    name: str,
    columns: Chosen | None = None,
    drop_repeats: bool = False,
) -> PromptFile:
    """Return the prompts of a file's `content`.

    `format` is one of `FORMATS` or what `ENDINGS` says; `columns` names the column of a field that
    is called otherwise, or "" to leave that field out. Raises `BadInputError` for what cannot be
    read, stored or told apart: an empty prompt, a repeated one unless `drop_repeats`.
    """
    chosen = columns or {}
    check_fields(chosen)
    if format == "parquet":
        table = read_parquet(content, name, chosen)
    else:
        table = _OF_TEXT[format](decode(content, name), name, chosen)
    numbered, unread = _prompts(table, name, chosen)
    rows, repeats = _without_repeats(numbered)
    notes = list(table.notes)
    if unread:
        notes.append(f"columns not read: {unread}.")
    if repeats:
        named = f"{len(repeats):,} ({table.unit} {listed(repeats, _REPEATS_NAMED)})"
        if not drop_repeats:
            raise BadInputError(
                f"{name} has repeated prompts: {named}; remove them, or have each prompt "
                "imported once.",
                by_command="--drop-repeats does it.",
            )
        notes.append(f"repeated prompts dropped: {named}.")
    return PromptFile(rows, notes)


def _prompts(
    table: PromptTable, name: str, chosen: Chosen
) -> tuple[list[tuple[int, PromptRow]], str]:
    """Return each prompt with its number, and the columns that were not read."""
    rows: list[tuple[int, PromptRow]] = []
    mappings: dict[tuple[str, ...], dict[str, str]] = {}
    unread: dict[str, None] = {}
    for number, values in table.rows:
        where = f"{name}: {table.unit} {number}"
        if len(rows) == MOST_PROMPTS:
            raise BadInputError(f"{where} is beyond {MOST_PROMPTS:,} prompts; split the file.")
        keys = tuple(values)
        if keys not in mappings:
            mappings[keys] = fields_of(keys, chosen, where)
            used = mappings[keys].values()
            unread |= dict.fromkeys(shown(key) for key in keys if key and key not in used)
        if values.get(""):  # such as the index of a data frame
            unread["one without a name"] = None
        rows.append((number, _row(values, mappings[keys], where)))
    if not rows:
        raise BadInputError(f"{name} holds no prompts; give a file with at least one.")
    return rows, listed(unread)


def _row(values: Mapping[str, Any], fields: Mapping[str, str], where: str) -> PromptRow:
    given = {name: values[column] for name, column in fields.items()}
    return PromptRow(
        text=_prompt(given.get("prompt"), values, where),
        category=_label(given.get("category"), "category", where),
        challenge=_label(given.get("challenge"), "challenge", where),
        note=_text(given.get("note"), "note", where).strip(),
        tags=_tags(given.get("tags"), where),
    )


def _prompt(value: Any, values: Mapping[str, Any], where: str) -> str:
    if not isinstance(value, str):
        raise BadInputError(
            f'{where} has no text "prompt"; it has {listed(map(shown, values)) or "nothing"}. '
            "Where the prompt is called otherwise, say how.",
            by_command="--column prompt=NAME says it.",
        )
    if not value.strip():
        raise BadInputError(f"{where} has an empty prompt; fill or remove it.")
    return _storable(value, "prompt", where)


def _text(value: Any, what: str, where: str) -> str:
    """Return a text; "" for null, and for NaN, which data frames write for it."""
    if value is None or value != value:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadInputError(
            f"{where}: {what} must be text, it is {shown(value)}; leave it out, or mend it.",
            by_command=f"--column {what}= leaves it out.",
        )
    return _storable(value, what, where)


def _storable(text: str, what: str, where: str) -> str:
    """Return the text. Raises `BadInputError` for what PostgreSQL keeps in no text."""
    if "\0" in text:
        raise BadInputError(f"{where}: the {what} holds a NUL character (\\u0000); remove it.")
    if _HALF.search(text):
        raise BadInputError(
            f"{where}: the {what} holds half a character ({shown(text)}); write the whole emoji, "
            "or remove it."
        )
    return text


def _label(value: Any, what: str, where: str) -> str:
    label = _text(value, what, where).strip()
    if len(label) > LONGEST_LABEL:
        raise BadInputError(
            f"{where}: the {what} has {len(label):,} characters, at most {LONGEST_LABEL} are kept "
            f"({shown(label)}); shorten it."
        )
    return label


def _tags(value: Any, where: str) -> list[str]:
    given = value if isinstance(value, list) else _listed_in(_text(value, "tags", where))
    tags = (_label(tag, "tags", where) for tag in given)
    return [tag for tag in tags if tag]


def _listed_in(text: str) -> list[Any]:
    """Return the tags of a cell: with commas between, or a list as a program wrote it there."""
    cell = text.strip()
    if cell.startswith("[") and cell.endswith("]") and len(cell) <= _LONGEST_LIST:
        for read in (json.loads, ast.literal_eval):  # a data frame writes its lists as Python does
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                found: list[Any] = read(cell)
                return found
    return text.split(",")


def _without_repeats(
    numbered: list[tuple[int, PromptRow]],
) -> tuple[list[PromptRow], list[str]]:
    """Return each prompt once, the first, and the number of every other one: "7 as 2"."""
    first: dict[str, int] = {}
    rows, repeats = [], []
    for number, row in numbered:
        if row.text in first:
            repeats.append(f"{number} as {first[row.text]}")
        else:
            first[row.text] = number
            rows.append(row)
    return rows, repeats
