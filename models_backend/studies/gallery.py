"""What to type next: register a study's checkpoints, and let people rank them in one campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models_backend.checkpoints import read_metadata


def next_commands(checkpoints: Sequence[Path]) -> str:
    """Return the platform's commands for directories that the trainer wrote, a line each.

    `default` is the sampler that every family has.
    """
    names = [str(read_metadata(folder)["name"]) for folder in checkpoints]
    lines = [f"python manage.py register_checkpoint {folder}" for folder in checkpoints]
    lines.append(
        f"python manage.py run_eval {' '.join(names)} --prompts SET --sampler default --steps 30"
    )
    return "\n".join(lines)
