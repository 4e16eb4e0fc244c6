"""Small file helpers shared by the data builder and the checkpoints. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from models_backend.errors import InputError

_CHUNK_BYTES = 1 << 20


def sha256_of_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    return _digest(path, "sha256").hexdigest()


def sha512_of_file(path: Path) -> bytes:
    """Raw SHA-512 of a file, the hash npm's ``integrity`` field carries in base64."""
    return _digest(path, "sha512").digest()


def _digest(path: Path, name: str) -> hashlib._Hash:
    digest = hashlib.new(name)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest


def temporary_sibling(path: Path) -> Path:
    """A name beside ``path`` that no finished artefact has (same file system: renames work)."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` is either absent, old or complete, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = temporary_sibling(path)
    try:
        with partial.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json_atomically(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_bytes_atomically(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object; raises ``InputError`` naming the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} must hold one JSON object")
    return value
