"""What was sent by a page, laid out as a folder that `open_rows` reads as any other."""

import filecmp
import gzip
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from evalplatform.core.errors import BadInputError
from evalplatform.core.tar_files import opened_tar
from evalplatform.core.zip_files import check_zip
from evalplatform.images.reading.opening import TABLES

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
MOST_FILES = 1_000_000
MOST_BYTES = 500 * 2**30
_TABLE_BYTES = 128 * 2**20  # of an archive's table of contents: about a million files
_SHARE_OF_DISK = 0.5  # of what is free: the site lives on it too
_LONGEST_PATH = 400  # characters
_LONGEST_NAME = 255  # bytes, of most file systems
_CHUNK = 2**20
_UNDER_WAY = ".unpacking"  # what starts with a dot is none of what was sent
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error,
    NotImplementedError, RuntimeError, ValueError, struct.error, OverflowError, LookupError,
)  # fmt: skip


def unpack_archives(folder: Path, still: Callable[[], None] = lambda: None) -> None:
    """Unpack every zip and tar that lies in the folder, side by side, and remove it.

    `still` is called while it goes on. Done again after a kill it goes on with those that are left.
    Raises `BadInputError` for one that is broken, holds what could land elsewhere, what is no file
    (a link, a device) or what lies there with other content, or comes to too much.
    """
    room = min(MOST_BYTES, int(shutil.disk_usage(folder).free * _SHARE_OF_DISK))
    for archive in sorted(folder.glob("*")):
        if archive.name.lower().endswith(ARCHIVES) and archive.is_file():
            into = _Unpacking(archive, folder, room, still)
            kind = "zip" if archive.suffix.lower() == ".zip" else "tar"
            try:
                (_unpack_zip if kind == "zip" else _unpack_tar)(into)
            except _BROKEN as error:
                raise BadInputError(
                    f"{archive.name} is not a whole {kind} archive ({type(error).__name__}); pack "
                    "or send it again."
                ) from error
            finally:
                (folder / _UNDER_WAY).unlink(missing_ok=True)
            room = into.room
            archive.unlink()


class _Unpacking:
    """One archive that is being unpacked, and how many bytes may still be written."""

    def __init__(self, archive: Path, folder: Path, room: int, still: Callable[[], None]) -> None:
        self.archive = archive
        self.room = room
        self._folder = folder
        self._limit = room
        self._still = still
        self._seen = set[str]()
        self._members = 0

    def check_count(self, members: int) -> None:
        """Raise `BadInputError` for more members than an archive may have."""
        if members > MOST_FILES:
            raise BadInputError(f"{self.archive.name} holds over {MOST_FILES:,} files; split it.")

    def path_of(self, name: str, *, is_folder: bool) -> PurePosixPath | None:
        """Return where a member goes; None for a folder and for what file managers leave behind.

        Raises `BadInputError` for a path that could lie elsewhere, and one that was there before.
        """
        self._members += 1
        self.check_count(self._members)
        path = PurePosixPath(name)
        bad = (
            path.is_absolute()
            or ".." in path.parts
            or not name.isprintable()
            or len(name) > _LONGEST_PATH
            or any(len(part.encode()) > _LONGEST_NAME for part in path.parts)
        )
        if bad:
            raise BadInputError(
                f"{self.archive.name} holds a file named {name[:80]!a}; accepted are plain "
                f"relative paths of at most {_LONGEST_PATH} characters."
            )
        if is_folder or path.parts[0] == "__MACOSX" or path.name.startswith("."):
            return None
        if str(path) in self._seen:
            raise BadInputError(
                f"{self.archive.name} holds {str(path)[:80]!a} twice; pack it anew."
            )
        self._seen.add(str(path))
        return path

    def write(self, content: IO[bytes], path: PurePosixPath) -> None:
        """Write one member, whole or not at all."""
        target, under_way = self._folder / path, self._folder / _UNDER_WAY
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with under_way.open("wb") as file:
                while chunk := content.read(_CHUNK):
                    self._take(len(chunk))
                    file.write(chunk)
            # The same bytes are there where a worker was killed, or somebody sent them twice.
            if target.is_file() and not filecmp.cmp(under_way, target, shallow=False):
                raise BadInputError(
                    f"{str(path)[:80]!r} was sent twice, as two different files; rename one and "
                    "send both again."
                )
            under_way.replace(target)
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise BadInputError(
                f"{str(path)[:80]!r} is both a file and a folder in what was sent; pack it anew."
            ) from error

    def pass_over(self, content: IO[bytes]) -> None:
        """Read a member that is left out, as one that is written: to unpack it takes as long."""
        while chunk := content.read(_CHUNK):
            self._take(len(chunk))

    def still(self) -> None:
        """Tell that it goes on."""
        self._still()

    def _take(self, count: int) -> None:
        self.room -= count
        if self.room < 0:
            raise BadInputError(
                f"{self.archive.name} unpacks to over {self._limit:,} bytes, which is what may be "
                "unpacked here; split it, or ask the operator to make room."
            )
        self._still()


def _unpack_zip(into: _Unpacking) -> None:
    check_zip(
        into.archive, table_bytes=_TABLE_BYTES,
        otherwise="pack fewer images, or bring them as Parquet.",
    )  # fmt: skip
    with zipfile.ZipFile(into.archive) as opened:
        members = opened.infolist()
        into.check_count(len(members))
        for member in members:
            path = into.path_of(member.filename, is_folder=member.is_dir())
            if path is None:
                continue
            if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
                raise BadInputError(
                    f"{member.filename[:80]!r} is encrypted or packed in an uncommon way; pack the "
                    "folder with plain zip."
                )
            with opened.open(member) as content:
                into.write(content, path)


def _unpack_tar(into: _Unpacking) -> None:
    with opened_tar(into.archive) as tar:
        for member in tar.members():
            into.still()  # one without content may have a long header
            path = into.path_of(member.name, is_folder=member.isdir())
            if path is not None:
                into.write(tar.content(member, into.room), path)
            elif member.isreg():
                into.pass_over(tar.content(member, into.room))
        tar.check_end(into.archive.name)


def source_in(folder: Path) -> Path:
    """Return what is meant of a folder that was sent: a table in it, or the folder of images.

    A folder that holds one folder and nothing else stands for that; names that begin with a dot
    are what file managers leave behind. Raises `BadInputError` where
    several tables lie there and none is called as a manifest is.
    """
    inside = _seen_in(folder)
    while len(inside) == 1 and inside[0].is_dir():
        folder = inside[0]
        inside = _seen_in(folder)
    tables = sorted(each for each in inside if each.suffix.lower() in TABLES and each.is_file())
    if len(tables) == 1 and tables[0].suffix.lower() != ".parquet":
        return tables[0]
    others = [each for each in tables if each.suffix.lower() != ".parquet"]
    if len(others) > 1:
        names = ", ".join(each.name for each in others[:3])
        raise BadInputError(f"several tables were sent ({names}); send the one that is meant.")
    return folder


def _seen_in(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if not each.name.startswith(".")]
