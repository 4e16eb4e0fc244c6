"""The content hash: a checkpoint's identity, and its address in the registry."""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(hashes: Mapping[str, str]) -> str:
    """Return the hash of a directory's content: SHA-256 over sorted lines "path sha256".

    `hashes` has the SHA-256 of every file but those in `NOT_HASHED`, by relative path with forward
    slashes.
    """
    lines = "".join(f"{path} {digest}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def differing_files(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return, sorted, which files were changed, are missing or were added since `recorded`."""
    return sorted(
        path for path in recorded.keys() | found.keys() if recorded.get(path) != found.get(path)
    )
