"""Reading what a checkpoint directory says of itself, and checking that nothing was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models_backend.checkpoint_format import (
    FORMAT,
    METADATA,
    NOT_HASHED,
    content_sha256,
    differing_files,
)
from models_backend.checkpoints.known_hashes import KnownHashes
from models_backend.errors import CheckpointError
from models_backend.files import read_json

# A worker loads the same few directories again and again, of many gigabytes each.
_KNOWN = KnownHashes()


def content_files(folder: Path) -> dict[str, Path]:
    """Return every file that the content hash covers, by relative path with forward slashes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path for name, path in named.items() if name not in NOT_HASHED}


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each of the content's files, by relative path."""
    return {name: _KNOWN.sha256(path) for name, path in content_files(folder).items()}


def _no_checkpoint(folder: Path) -> CheckpointError:
    if not folder.exists():
        return CheckpointError(f"{folder}: there is no such directory")
    if folder.is_dir():
        return CheckpointError(f"{folder} is not a checkpoint directory ({METADATA} is missing)")
    return CheckpointError(
        f"{folder} is a file, not a checkpoint directory; a single file of weights is registered "
        "first, and so written as a directory (docs/training.md)",
        by_command=f"`python -m models_backend.fuse {folder} DIRECTORY` writes one too.",
    )


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return `metadata.json` after checking it against the files.

    Raises:
        CheckpointError: not a checkpoint, another format, or a file that was changed.
    """
    if not (folder / METADATA).is_file():
        raise _no_checkpoint(folder)
    metadata = read_json(folder / METADATA)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: format {metadata.get('format')!r}, accepted is {FORMAT}")
    hashes = file_hashes(folder)
    try:
        recorded = {name: entry["sha256"] for name, entry in metadata["files"].items()}
        whole = metadata["sha256"]
    except (KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{folder / METADATA} lacks hashes; copy the folder again") from None
    changed = differing_files(recorded, hashes)
    if changed or whole != content_sha256(hashes):
        what = ", ".join(changed) or METADATA
        raise CheckpointError(f"{folder} differs from what was saved ({what}); copy it again")
    return metadata
