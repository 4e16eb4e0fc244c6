"""How far an export has come: a file in its folder, written after each part."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.exports.parts import remove_half_written

STATE = ".export-state.json"
DONE = "export.json"
_OURS = ("data", "images", "replay", "figures", "tables")


@dataclass
class ExportState:
    """What is written of an export that is not finished.

    Attributes:
        campaign, options, fingerprint: what it is of, and as of when; another one begins anew.
        read: how many rows of the statement are in whole parts.
        parts: how many parts there are.
        rows: how many rows each file has.
        sha256: of each file.
    """

    campaign: str
    options: dict[str, Any]
    fingerprint: str
    made_at: str
    read: int = 0
    parts: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        write_whole(folder / STATE, json.dumps(asdict(self)))


def begin(folder: Path, wanted: ExportState) -> ExportState:
    """Return where an export into this folder goes on, or begins.

    A part-written export of the same votes goes on; one of older votes begins anew. Raises
    `BadInputError` for a folder that holds anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file; give a folder that is empty or not there yet.")
    folder.mkdir(parents=True, exist_ok=True)
    found = _read(folder)
    if found is None:
        if any(folder.iterdir()):
            raise BadInputError(_why_not(folder))
        wanted.save(folder)
        return wanted
    if (found.campaign, found.options) != (wanted.campaign, wanted.options):
        raise BadInputError(
            f"{folder} holds the beginning of another export (of {found.campaign}, or with other "
            "options); give the same options to go on with it, or another folder."
        )
    remove_half_written(folder)
    if found.fingerprint == wanted.fingerprint:
        return found
    for name in _OURS:
        rmtree(folder / name, ignore_errors=True)
    wanted.save(folder)
    return wanted


def is_finished(folder: Path) -> bool:
    """Whether a folder holds an export that is whole."""
    return (folder / DONE).exists() and not (folder / STATE).exists()


def _why_not(folder: Path) -> str:
    if is_finished(folder):
        return f"{folder} holds a finished export already; give an empty folder."
    return f"{folder} is not empty; an export goes into an empty folder, so nothing is mixed up."


def _read(folder: Path) -> ExportState | None:
    path = folder / STATE
    if not path.exists():
        return None
    try:
        return ExportState(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BadInputError(
            f"{path} cannot be read; remove the folder and export again."
        ) from error
