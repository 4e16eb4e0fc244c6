"""What was sent by a page, laid out as a folder that `open_rows` reads as any other."""

import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from evalplatform.core.errors import BadInputError
from evalplatform.core.zip_files import check_zip
from evalplatform.images.reading.opening import TABLES

MOST_FILES = 1_000_000
MOST_BYTES = 500 * 2**30
_TABLE_BYTES = 128 * 2**20  # of an archive's table of contents: about a million files
_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError,
    struct.error, OverflowError, LookupError,
)  # fmt: skip


def unpack_zips(folder: Path) -> None:
    """Unpack every zip that lies in the folder, side by side, and remove it.

    Done again after a kill it goes on with those that are left. Raises `BadInputError` for one that
    is broken, holds what could land elsewhere, or comes to too much.
    """
    for archive in sorted(folder.glob("*")):
        if archive.suffix.lower() == ".zip" and archive.is_file():
            try:
                _unpack(archive, folder)
            except _BROKEN as error:
                raise BadInputError(
                    f"{archive.name} is not a whole zip archive ({type(error).__name__}); pack or "
                    "send it again."
                ) from error
            archive.unlink()


def _unpack(archive: Path, folder: Path) -> None:
    check_zip(
        archive, table_bytes=_TABLE_BYTES,
        otherwise="pack fewer images, or bring them as Parquet.",
    )  # fmt: skip
    room, seen = MOST_BYTES, set[str]()
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
            room = _write(opened, member, folder / path, room)


def _path_of(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath | None:
    """Return where a member goes; None for a folder and for what file managers leave behind."""
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or not member.filename.isprintable():
        raise BadInputError(
            f"{archive.name} holds a file named {member.filename[:80]!a}; accepted are plain "
            "relative paths."
        )
    if member.is_dir() or path.parts[0] == "__MACOSX" or path.name.startswith("."):
        return None
    if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
        raise BadInputError(
            f"{member.filename[:80]!r} is encrypted or packed in an uncommon way; pack the folder "
            "with plain zip."
        )
    return path


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: int) -> int:
    """Write one member, counting what is written; return the room that is left, in bytes."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as content, target.open("wb") as file:
            while chunk := content.read(_CHUNK):
                room -= len(chunk)
                if room < 0:
                    raise BadInputError(f"the zip unpacks to over {MOST_BYTES:,} bytes; split it.")
                file.write(chunk)
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise BadInputError(
            f"{member.filename[:80]!r} is both a file and a folder in the zip; pack it anew."
        ) from error
    return room


def source_in(folder: Path) -> Path:
    """Return what is meant of a folder that was sent: a table in it, or the folder of images.

    A folder that holds one folder and nothing else stands for that. Raises `BadInputError` where
    several tables lie there and none is called as a manifest is.
    """
    inside = list(folder.iterdir())
    while len(inside) == 1 and inside[0].is_dir():
        folder = inside[0]
        inside = list(folder.iterdir())
    tables = sorted(each for each in inside if each.suffix.lower() in TABLES and each.is_file())
    if len(tables) == 1 and tables[0].suffix.lower() != ".parquet":
        return tables[0]
    others = [each for each in tables if each.suffix.lower() != ".parquet"]
    if len(others) > 1:
        names = ", ".join(each.name for each in others[:3])
        raise BadInputError(f"several tables were sent ({names}); send the one that is meant.")
    return folder
