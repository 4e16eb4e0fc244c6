"""What was sent by a page, laid out as a folder that `open_rows` reads as any other."""

import filecmp
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from evalplatform.core.errors import BadInputError
from evalplatform.core.zip_files import check_zip
from evalplatform.images.reading.opening import TABLES

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
    zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError,
    struct.error, OverflowError, LookupError,
)  # fmt: skip


def unpack_zips(folder: Path, still: Callable[[], None] = lambda: None) -> None:
    """Unpack every zip that lies in the folder, side by side, and remove it.

    `still` is called while it goes on. Done again after a kill it goes on with those that are left.
    Raises `BadInputError` for one that is broken, holds what could land elsewhere or what lies
    there with other content, or comes to too much.
    """
    room = min(MOST_BYTES, int(shutil.disk_usage(folder).free * _SHARE_OF_DISK))
    for archive in sorted(folder.glob("*")):
        if archive.suffix.lower() == ".zip" and archive.is_file():
            try:
                room -= _unpack(archive, folder, room, still)
            except _BROKEN as error:
                raise BadInputError(
                    f"{archive.name} is not a whole zip archive ({type(error).__name__}); pack or "
                    "send it again."
                ) from error
            finally:
                (folder / _UNDER_WAY).unlink(missing_ok=True)
            archive.unlink()


def _unpack(archive: Path, folder: Path, room: int, still: Callable[[], None]) -> int:
    """Unpack one archive; return how many bytes were written, at most `room`."""
    check_zip(
        archive, table_bytes=_TABLE_BYTES,
        otherwise="pack fewer images, or bring them as Parquet.",
    )  # fmt: skip
    written, seen = 0, set[str]()
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > MOST_FILES:
            raise BadInputError(f"{archive.name} holds over {MOST_FILES:,} files; split it.")
        for member in members:
            path = _path_of(member, archive)
            if path is None:
                continue
            if str(path) in seen:
                raise BadInputError(f"{archive.name} holds {str(path)[:80]!a} twice; pack it anew.")
            seen.add(str(path))
            for count in _write(opened, member, folder, path):
                written += count
                if written > room:
                    raise BadInputError(
                        f"{archive.name} unpacks to over {room:,} bytes, which is what may be "
                        "unpacked here; split it, or ask the operator to make room."
                    )
                still()
    return written


def _path_of(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath | None:
    """Return where a member goes; None for a folder and for what file managers leave behind."""
    path = PurePosixPath(member.filename)
    bad = (
        path.is_absolute()
        or ".." in path.parts
        or not member.filename.isprintable()
        or len(member.filename) > _LONGEST_PATH
        or any(len(part.encode()) > _LONGEST_NAME for part in path.parts)
    )
    if bad:
        raise BadInputError(
            f"{archive.name} holds a file named {member.filename[:80]!a}; accepted are plain "
            f"relative paths of at most {_LONGEST_PATH} characters."
        )
    if member.is_dir() or path.parts[0] == "__MACOSX" or path.name.startswith("."):
        return None
    if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
        raise BadInputError(
            f"{member.filename[:80]!r} is encrypted or packed in an uncommon way; pack the folder "
            "with plain zip."
        )
    return path


def _write(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, path: PurePosixPath
) -> Iterator[int]:
    """Write one member, whole or not at all; yield how many bytes, by the chunk."""
    target, under_way = folder / path, folder / _UNDER_WAY
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as content, under_way.open("wb") as file:
            while chunk := content.read(_CHUNK):
                yield len(chunk)
                file.write(chunk)
        # The same bytes are there where a worker was killed, or somebody sent them twice.
        if target.is_file() and not filecmp.cmp(under_way, target, shallow=False):
            raise BadInputError(
                f"{str(path)[:80]!r} was sent twice, as two different files; rename one and send "
                "both again."
            )
        under_way.replace(target)
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise BadInputError(
            f"{member.filename[:80]!r} is both a file and a folder in what was sent; pack it anew."
        ) from error


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
