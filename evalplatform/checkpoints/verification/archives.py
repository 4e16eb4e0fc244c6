"""Unpacking an archive that somebody else made, member by member.

Nothing of it is trusted: neither its table of contents nor the sizes it states. What is written is
counted as it is written, links and special files are refused, and only kinds of file that a
checkpoint needs are written at all.
"""

import errno
import gzip
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evalplatform.checkpoints.verification.names import check_name, is_left_out, relative_path
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError
from evalplatform.core.tar_files import opened_tar, special
from evalplatform.core.zip_files import check_zip

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_CHUNK = 2**20
_ZIP_TABLE_BYTES = 8 * 2**20  # of the table of contents, which is read into memory whole
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_REGULAR = 0o100000


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to."""

    files: int = 10_000
    bytes: int = 200 * 2**30


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def unpack(archive: Path, into: Path, limits: Limits) -> Path:
    """Unpack into the empty folder `into`; return the folder that is the checkpoint's.

    That is `into`, or its only folder where the archive holds one and nothing beside it.

    Raises:
        BadInputError: not an archive of the kind its name says, or one that holds what is refused.
            What was written by then lies below `into`, for the caller to remove.
    """
    writer = _Writer(into, limits)
    try:
        if archive.name.lower().endswith(".zip"):
            _unpack_zip(archive, writer)
        else:
            _unpack_tar(archive, writer)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, gzip.BadGzipFile,
            NotImplementedError, UnicodeError, RuntimeError, ValueError, struct.error,
            OverflowError, LookupError, OSError) as error:  # fmt: skip
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # a fault of the disk, not a place in the archive that cannot be
        raise BadInputError(
            f"{archive.name} is not a whole archive ({type(error).__name__}: {shown(error)}); "
            f"accepted are {', '.join(ARCHIVES)}. Pack or send it again."
        ) from error
    return _only_folder(into)


def _only_folder(folder: Path) -> Path:
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


class _Writer:
    """Writes members below one folder, counting what it writes."""

    def __init__(self, into: Path, limits: Limits) -> None:
        self._into = into
        self._limits = limits
        self._seen: set[str] = set()
        self._members = 0
        self._bytes = 0

    @property
    def bytes_left(self) -> int:
        return self._limits.bytes - self._bytes

    def count_member(self) -> None:
        self._members += 1
        if self._members > self._limits.files:
            raise BadInputError(
                f"the archive holds more than {self._limits.files:,} members; a checkpoint has a "
                "few dozen files. Pack its folder alone."
            )

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write one regular file, or leave it out where it is none of the checkpoint's."""
        path = relative_path(name)
        if is_left_out(path):
            while chunk := content.read(_CHUNK):
                self._take(len(chunk))
            return
        check_name(path)
        if path.as_posix().casefold() in self._seen:
            raise BadInputError(f"the archive holds {name[:80]!r} twice; pack it anew.")
        self._seen.add(path.as_posix().casefold())
        target = self._into / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                while chunk := content.read(_CHUNK):
                    self._take(len(chunk))
                    file.write(chunk)
        except (FileExistsError, NotADirectoryError) as error:
            raise BadInputError(
                f"the archive holds {name[:80]!r} both as a file and as a folder; pack it anew."
            ) from error

    def _take(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.bytes:
            raise BadInputError(
                f"the archive unpacks to more than {self._limits.bytes:,} bytes; raise "
                "CHECKPOINT_MAX_BYTES if a checkpoint of that size is expected."
            )


# ---- zip ----------------------------------------------------------------------------------------


def _unpack_zip(archive: Path, writer: _Writer) -> None:
    check_zip(
        archive,
        table_bytes=_ZIP_TABLE_BYTES,
        otherwise="a checkpoint has a few dozen files. Pack its folder alone.",
    )
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            writer.count_member()
            kind = (member.external_attr >> 16) & 0o170000
            if kind not in (0, _REGULAR) and not member.is_dir():
                raise special(member.filename)
            if member.flag_bits & 0x1 or member.compress_type not in _ZIP_METHODS:
                raise BadInputError(
                    f"{member.filename[:80]!r} is encrypted or packed in an uncommon way; pack the "
                    "folder with plain zip."
                )
            if not member.is_dir():
                with opened.open(member) as content:
                    writer.write(member.filename, content)


# ---- tar ----------------------------------------------------------------------------------------


def _unpack_tar(archive: Path, writer: _Writer) -> None:
    with opened_tar(archive) as tar:
        for member in tar.members():
            writer.count_member()
            if member.isdir():
                relative_path(member.name)
                continue
            writer.write(member.name, tar.content(member, writer.bytes_left))
