"""A pool's export as one archive, for whoever is not on the server."""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evalplatform.curation.exporting import export_pool
from evalplatform.curation.models import Pool


def pool_archive(
    *, pool: Pool, allow_unknown_licence: bool = False, allow_imported_captions: bool = False
) -> Iterator[bytes]:
    """Export a pool, and return the folder as pieces of a tar file.

    All is written to a temporary folder before this returns, so that what refuses the export is
    told and not in the middle of a file; it goes with the last piece.

    Raises `BadInputError` as `export_pool` does.
    """
    room = tempfile.TemporaryDirectory(prefix="pool-", ignore_cleanup_errors=True)
    try:
        exported = export_pool(
            pool=pool, out=Path(room.name) / pool.name,
            allow_unknown_licence=allow_unknown_licence,
            allow_imported_captions=allow_imported_captions,
        )  # fmt: skip
    except BaseException:
        room.cleanup()
        raise
    return _pieces(exported.path, room)


def _pieces(folder: Path, room: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with room, tarfile.open(fileobj=buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            tar.add(path, arcname=f"{folder.name}/{path.relative_to(folder)}", filter=_nobodys)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who ran the server, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
