"""Writing a checkpoint directory: whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import CARD, FORMAT, METADATA, content_sha256, file_sha256
from models_backend.checkpoints.card import model_card
from models_backend.checkpoints.directory import content_files
from models_backend.files import temporary_sibling, write_bytes_atomically, write_json_atomically

if TYPE_CHECKING:
    from models_backend.families.base import Family


def save(
    family: Family,
    folder: Path,
    *,
    name: str,
    role: str,
    training: dict[str, Any],
    licences: list[str],
    parent_sha256: str | None = None,
) -> str:
    """Write a checkpoint whole or not at all; return its content hash."""
    partial = temporary_sibling(folder)
    try:
        family.save(partial)
        hashes = {name: file_sha256(path) for name, path in content_files(partial).items()}
        metadata = {
            "format": FORMAT,
            "name": name,
            "role": role,
            "family": family.name,
            "sha256": content_sha256(hashes),
            "files": {
                file: {"sha256": digest, "bytes": (partial / file).stat().st_size}
                for file, digest in hashes.items()
            },
            "parent_sha256": parent_sha256,
            "image_size": family.config()["image_size"],
            "config": family.config(),
            "training": training,
            "licences": licences,
        }
        write_json_atomically(partial / METADATA, metadata)
        write_bytes_atomically(partial / CARD, model_card(metadata, partial).encode())
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return str(metadata["sha256"])
