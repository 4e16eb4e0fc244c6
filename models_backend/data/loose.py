"""Loose image files with captions: a metadata file that names them, or a text beside each.

The first form is what a hub's dataset library calls an image folder: `metadata.jsonl` or
`metadata.csv` with `file_name` and a caption, in any folder. No torch here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models_backend.errors import InputError

IMAGES = (".png", ".jpg", ".jpeg", ".webp")
_METADATA = ("metadata.jsonl", "metadata.csv")


def is_loose(folder: Path) -> bool:
    """Whether a folder holds loose images, somewhere in it."""
    return folder.is_dir() and next(_files(folder), None) is not None


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGES and path.is_file():
            yield path


def read_loose(folder: Path, *, caption: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return every image with what is said of it, its caption as `caption`; None where none is.

    Raises:
        InputError: a metadata file that cannot be read, or that lacks the caption's column.
    """
    tables = [path for name in _METADATA for path in sorted(folder.rglob(name))]
    if tables:
        return [entry for table in tables for entry in _listed(table, caption)]
    return [(path, {"caption": _beside(path)}) for path in _files(folder)]


def _beside(path: Path) -> str | None:
    text = path.with_suffix(".txt")
    try:
        return text.read_text(encoding="utf-8") if text.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{text} cannot be read as text ({error})") from None


def _listed(table: Path, caption: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    for number, row in enumerate(_rows(table), start=1):
        for wanted in ("file_name", caption):
            if wanted not in row:
                raise InputError(
                    f"{table}, row {number} has no {wanted}; it has {', '.join(map(str, row))}; "
                    "name the column that has the caption",
                    by_command="`--caption-column` names it.",
                )
        path = table.parent / str(row["file_name"])
        if not path.resolve().is_relative_to(table.parent.resolve()):
            raise InputError(f"{table}, row {number}: {row['file_name']} lies outside its folder")
        rest = {key: value for key, value in row.items() if key not in ("file_name", caption)}
        yield path, rest | {"caption": row[caption]}


def _rows(table: Path) -> list[dict[str, Any]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        if table.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{table} cannot be read ({error})") from None
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{table}: every line must be a JSON object")
    return rows
