"""The manifest of a captioned image set: one JSON object per line, and a completeness mark.

A data directory holds ``manifest.jsonl``, the image files it names, and ``dataset.json``, which is
written last. A directory without ``dataset.json``, or whose manifest differs from the hash in it,
is unfinished and is refused. No torch here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models_backend.data.loose import is_loose
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes, sha256_of_file

MANIFEST_NAME = "manifest.jsonl"
MARK_NAME = "dataset.json"
FORMAT = "t2i-dataset/1"


@dataclass(frozen=True)
class Record:
    """One captioned image."""

    concept: str
    """Identifier shared by the drawings of one thing in different styles."""
    caption: str
    """Noun phrase with its article."""
    keywords: list[str]
    category: str
    """PartiPrompts category."""
    style: str
    source: str
    """``package@version`` the image came from."""
    licence: str
    """SPDX id of the licence of the image."""
    sha256: str
    """Of the image file."""
    file: str
    """Path of the image, relative to the data directory, with forward slashes."""


def dump_records(records: list[Record]) -> bytes:
    """The manifest file for ``records``."""
    lines = [json.dumps(asdict(r), sort_keys=True, ensure_ascii=False) for r in records]
    return ("\n".join(lines) + "\n").encode()


def read_mark(folder: Path) -> dict[str, Any]:
    """The completeness mark of a data directory.

    Raises:
        InputError: the directory is absent, unfinished or of another format.
    """
    path = folder / MARK_NAME
    by_command = _by_command(folder)
    if not path.is_file():
        raise InputError(
            f"{folder} is not a finished data set ({MARK_NAME} is missing); build it first",
            by_command=by_command,
        )
    try:
        mark = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})", by_command=by_command) from None
    if not isinstance(mark, dict) or mark.get("format") != FORMAT:
        raise InputError(f"{path} is not of the format {FORMAT}", by_command=by_command)
    return mark


def _by_command(folder: Path) -> str:
    """Return the command that makes a folder one to train on, by what lies in it."""
    program = "python -m models_backend.data.shards"
    if any(next(folder.glob(kind), None) for kind in ("*.tar", "*.parquet")):
        return f"`{program} --index {folder}` indexes its shards."
    if not (folder / MANIFEST_NAME).exists() and is_loose(folder):
        return f"`{program} --from {folder} --out FOLDER` makes shards of its images."
    return f"`python -m models_backend.data.emoji --out {folder}` builds one."


def read_records(folder: Path) -> list[Record]:
    """All records of a finished data directory, in the manifest's order.

    Raises:
        InputError: unfinished directory, or the manifest is not the one that was built.
    """
    mark = read_mark(folder)
    path = folder / MANIFEST_NAME
    data = path.read_bytes() if path.is_file() else b""
    if sha256_of_bytes(data) != mark.get("manifest_sha256"):
        raise InputError(f"{path} differs from the hash in {MARK_NAME}; build the data set again")
    try:
        return [Record(**json.loads(line)) for line in data.splitlines()]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: a line does not fit the schema ({error})") from None


def manifest_sha256(folder: Path) -> str:
    """Hex SHA-256 of the manifest file: names the data a model was trained on."""
    return sha256_of_file(folder / MANIFEST_NAME)
