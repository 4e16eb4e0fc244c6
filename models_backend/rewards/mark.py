"""What a reward's folder says of itself. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models_backend.errors import CheckpointError, InputError
from models_backend.files import read_json

FORMAT = "t2i-reward/1"
MARK = "reward.json"


def read_reward(folder: Path) -> dict[str, Any]:
    """Return `reward.json`.

    Raises:
        CheckpointError: there is none, of another format, or a reward without calibration.
    """
    if not (folder / MARK).is_file():
        raise CheckpointError(f"{folder} is not a reward model ({MARK} is missing)")
    try:
        metadata = read_json(folder / MARK)
    except InputError as error:
        raise CheckpointError(str(error)) from None
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{folder / MARK} is not of the format {FORMAT}")
    if not metadata.get("calibration"):
        raise CheckpointError(
            f"{folder} has no calibration: its numbers cannot stand beside another reward's; train "
            "it again"
        )
    return metadata
