"""Hashes of files that were read before, so that gigabytes are not read again at every load."""

from __future__ import annotations

import os
import time
from pathlib import Path

from models_backend.checkpoint_format import file_sha256

_SETTLED_NS = 2_000_000_000
"""A file changed later than this before it is read may change again within the same timestamp."""
_MOST_FILES = 100_000

_Stamp = tuple[int, int, int, int]


class KnownHashes:
    """SHA-256 by file, remembered in this process while the file looks the same from outside.

    Size, both times of change and the inode tell: whatever writes to a file moves the second of
    these times, which no program can set back. What this cannot see is a disk that loses bits
    without a write. Two threads may ask at once; at worst both read the file.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Stamp, str]] = {}

    def sha256(self, path: Path) -> str:
        """Return a file's SHA-256 in hex."""
        key, before = os.path.abspath(path), _stamp(path)
        known = self._known.get(key)
        if known is not None and known[0] == before:
            return known[1]
        # Stamped before it is read: a file that changes meanwhile will not look the same again.
        settled = max(before[1:3]) < time.time_ns() - _SETTLED_NS
        digest = file_sha256(path)
        if settled:
            if len(self._known) >= _MOST_FILES:
                self._known.clear()
            self._known[key] = (before, digest)
        return digest


def _stamp(path: Path) -> _Stamp:
    """Return size, both times of change and inode; of a link, those of the file it leads to."""
    told = path.stat()
    return told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino
