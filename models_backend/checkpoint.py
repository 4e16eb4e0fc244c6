"""Checkpoint directories: safetensors, readable metadata, a content hash. Never pickle.

A directory holds `metadata.json`, a model card `README.md`, and what the family saves. The hash
covers every file but those two. Importing this module does not load torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.card import model_card
from models_backend.errors import CheckpointError
from models_backend.files import (
    read_json,
    sha256_of_file,
    temporary_sibling,
    write_bytes_atomically,
    write_json_atomically,
)

if TYPE_CHECKING:
    from models_backend.families.base import Family

FORMAT = "t2i-checkpoint/1"
METADATA = "metadata.json"
CARD = "README.md"


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the content, by relative path with forward slashes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: sha256_of_file(path) for name, path in named.items() if name not in (METADATA, CARD)
    }


def content_sha256(folder: Path) -> str:
    """The checkpoint's identity: SHA-256 over sorted lines "path sha256"."""
    return _hash_of(file_hashes(folder))


def _hash_of(hashes: dict[str, str]) -> str:
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return `metadata.json` after checking it against the files.

    Raises:
        CheckpointError: not a checkpoint, another format, or a file that was changed.
    """
    if not (folder / METADATA).is_file():
        raise CheckpointError(f"{folder} is not a checkpoint directory ({METADATA} is missing)")
    metadata = read_json(folder / METADATA)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: format {metadata.get('format')!r}, accepted is {FORMAT}")
    hashes = file_hashes(folder)
    try:
        recorded = {name: entry["sha256"] for name, entry in metadata["files"].items()}
        whole = metadata["sha256"]
    except (KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{folder / METADATA} lacks hashes; copy the folder again") from None
    changed = sorted(n for n in hashes.keys() | recorded.keys() if hashes.get(n) != recorded.get(n))
    if changed or whole != _hash_of(hashes):
        what = ", ".join(changed) or METADATA
        raise CheckpointError(f"{folder} differs from what was saved ({what}); copy it again")
    return metadata


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
        hashes = file_hashes(partial)
        metadata = {
            "format": FORMAT,
            "name": name,
            "role": role,
            "family": family.name,
            "sha256": _hash_of(hashes),
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


def load(folder: Path, device: str) -> tuple[Family, dict[str, Any]]:
    """Return the model of a checkpoint directory and its metadata.

    Raises:
        CheckpointError: see :func:`read_metadata`; or a family this version does not have.
    """
    from models_backend.families import latent_diffusion  # noqa: F401  (registers itself)
    from models_backend.families.base import FAMILIES

    metadata = read_metadata(folder)
    family = FAMILIES.get(str(metadata.get("family")))
    if family is None:
        raise CheckpointError(
            f"{folder}: family {metadata.get('family')!r}, accepted are {', '.join(FAMILIES)}"
        )
    return family.load(folder, device), metadata
