"""Tar archives that somebody else made, packed by gzip or not: read as a stream, headers bounded.

Nothing of it is trusted. Long names and attributes stand before a member and are read into memory:
the stream gives out no more than a member's content and some of them.
"""

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from evalplatform.core.errors import BadInputError

_HEADER_BYTES = 2**20  # of all that stands between two members' contents


class TarReader:
    """The members of an archive, one after another; made by `opened_tar`."""

    def __init__(self, opened: tarfile.TarFile, metered: "_Metered") -> None:
        self._opened = opened
        self._metered = metered

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Yield each member; its content is to be read before the next."""
        while True:
            member = self._opened.next()
            if member is None:
                return
            # Of a folder, a link or a sparse file tarfile reads less than its size, or nothing.
            is_read = member.isreg() and not member.issparse()
            self._metered.allow((member.size if is_read else 0) + _HEADER_BYTES)
            yield member
            self._opened.members = []  # type: ignore[attr-defined]  # it would remember every one

    def content(self, member: tarfile.TarInfo, most: int) -> IO[bytes]:
        """Return a member's content, of which at most `most` bytes and a little can be read.

        Raises `BadInputError` where it is no regular file.
        """
        content = self._opened.extractfile(member) if member.isreg() else None
        if content is None or member.issparse() or member.size < 0:
            raise special(member.name)
        self._metered.allow(min(member.size, most) + _HEADER_BYTES)
        return content

    def check_end(self, name: str) -> None:
        """Refuse an archive, called `name`, that is cut off or goes on behind its end.

        To be called after its last member. Raises `BadInputError`.
        """
        if self._metered.is_at_end:
            raise BadInputError(f"{name} is cut off: its end is missing; resend.")
        if self._metered.has_more():
            raise BadInputError(f"{name} has something behind its end; pack it anew.")


@contextmanager
def opened_tar(archive: Path) -> Iterator[TarReader]:
    """Open an archive. What tarfile, gzip and zlib raise of a broken one goes through."""
    with archive.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        plain: Any = gzip.GzipFile(fileobj=file) if compressed else file
        metered: Any = _Metered(plain)
        metered.allow(_HEADER_BYTES)
        with tarfile.open(fileobj=metered, mode="r|", bufsize=tarfile.BLOCKSIZE) as opened:
            yield TarReader(opened, metered)


def special(name: str) -> BadInputError:
    """Return what is said of a link, a device or the like."""
    return BadInputError(
        f"the archive holds {name[:80]!r}, which is no regular file (a link, a device or the "
        "like); pack the files themselves."
    )


class _Metered:
    """A stream that gives out no more than was allowed since the last time."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = 0
        self.is_at_end = False  # it ended before all that was asked for

    def allow(self, count: int) -> None:
        self._left = count

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise BadInputError("the archive's headers are larger than any real ones; pack anew.")
        content = self._stream.read(size)
        self.is_at_end = len(content) < size
        return content

    def has_more(self) -> bool:
        """Whether something follows but zeros, which fill a tape's last record; reads to the end.

        With it gzip compares its check sum.
        """
        rest = self._stream.read(_HEADER_BYTES)
        return any(rest) or bool(self._stream.read(1))
