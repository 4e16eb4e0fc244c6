"""Appending the parts of a file that may break off anywhere.

The file itself says how much has arrived, so a killed web process forgets nothing.
"""

import fcntl
import os
from pathlib import Path
from typing import IO, Protocol

from evalplatform.core.errors import EvalPlatformError

_CHUNK = 2**20


class OffsetError(EvalPlatformError):
    """The part does not begin where the file ends; the client asks where that is."""


class BusyError(EvalPlatformError):
    """Another request is writing to the same upload."""


class Body(Protocol):
    def read(self, size: int, /) -> bytes: ...


def append_part(path: Path, *, size_bytes: int, offset: int, body: Body, length: int) -> int:
    """Append `length` bytes of `body` at `offset`; return how much of the file has arrived.

    What arrived of a part that breaks off is kept.

    Raises:
        OffsetError: `offset` is not where the file ends, or the part reaches beyond its size.
        BusyError: another request is writing.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError("another request is writing to this upload; try again.") from error
        there = file.seek(0, os.SEEK_END)
        if offset != there or length < 0 or offset + length > size_bytes:
            raise OffsetError(f"{there:,} of {size_bytes:,} bytes have arrived; go on from there.")
        return there + _append(file, body, length)


def _append(file: IO[bytes], body: Body, length: int) -> int:
    written = 0
    try:
        while written < length and (chunk := body.read(min(_CHUNK, length - written))):
            written += file.write(chunk)
    finally:
        file.flush()
        os.fsync(file.fileno())
    return written
