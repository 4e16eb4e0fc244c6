"""Zip files that somebody else made: what is asked of one before it is opened."""

import io
from pathlib import Path

from evalplatform.core.errors import BadInputError

_END = b"PK\x05\x06"
_ZIP64_END = b"PK\x06\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"


def check_zip(archive: Path, *, table_bytes: int, otherwise: str) -> None:
    """Refuse a file that is something else as well, and a table of contents too large to read.

    The table is read into memory whole. `otherwise` says what to do where it is over
    `table_bytes`. Raises `BadInputError`.
    """
    with archive.open("rb") as file:
        if file.read(4) not in (b"PK\x03\x04", _END):
            raise BadInputError(f"{archive.name} does not begin as a zip archive does; pack anew.")
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 2**16 - 22))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < 22:
        raise BadInputError(f"{archive.name} is cut off: its table of contents is missing; resend.")
    comment = int.from_bytes(tail[end + 20 : end + 22], "little")
    if end + 22 + comment != len(tail):
        raise BadInputError(f"{archive.name} has something behind its end; pack it anew.")
    table = max(int.from_bytes(tail[end + 12 : end + 16], "little"), _zip64_table(tail[:end]))
    if table > table_bytes:
        raise BadInputError(
            f"{archive.name} has a table of contents of {table:,} bytes; {otherwise}"
        )


def _zip64_table(before_end: bytes) -> int:
    """Return the largest table that a zip64 record states; 0 where none is announced.

    Readers take its figure in place of the plain end's, whatever that one says.
    """
    if before_end[-20:-16] != _ZIP64_LOCATOR:
        return 0
    found, place = [], before_end.find(_ZIP64_END)
    while place >= 0:
        found.append(int.from_bytes(before_end[place + 40 : place + 48], "little"))
        place = before_end.find(_ZIP64_END, place + 1)
    return max(found, default=2**64)  # announced and out of sight: not one of ours
