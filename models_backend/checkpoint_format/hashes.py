"""The content hash: a checkpoint's identity, and its address in the registry."""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(hashes: Mapping[str, str]) -> str:
    """Return the hash of a directory's content: SHA-256 over sorted lines "length path sha256".

    The length is the path's in bytes, so that no path can be read as two: different contents have
    different lines, whatever their files are called. `hashes` has the SHA-256 of every file but
    those in `NOT_HASHED`, by relative path with forward slashes.
    """
    digest = hashlib.sha256()
    for path, content in sorted(hashes.items()):
        name = path.encode(errors="surrogateescape")
        digest.update(b"%d %b %b\n" % (len(name), name, content.encode()))
    return digest.hexdigest()


def differing_files(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return, sorted, which files were changed, are missing or were added since `recorded`."""
    return sorted(
        path for path in recorded.keys() | found.keys() if recorded.get(path) != found.get(path)
    )
