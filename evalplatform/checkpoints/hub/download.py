"""Bringing a hub model's files here: bounded, checked against their hashes, and resumed.

Each model has a folder of its own below CHECKPOINT_DIR/hub, kept until it is registered: `files`
holds what is whole and has the right hash, `parts` what is still coming. A killed process, or a
broken connection, costs nothing that has arrived.
"""

import fcntl
import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from evalplatform.checkpoints.hub.listing import HubFile, HubModel, said_plainly
from evalplatform.checkpoints.hub.selection import Wanted
from evalplatform.checkpoints.verification.weight_files import is_table, plain_table
from evalplatform.core.errors import BadInputError

Progress = Callable[[int, int], None]
"""Told the bytes that are here, and the bytes of it all."""

_ABANDONED = 7 * 24 * 3600  # seconds without a byte
_ATTEMPTS = 2  # without a byte in between, each of five by huggingface_hub itself
_PAUSE = 1.0  # seconds


@dataclass(frozen=True)
class Place:
    """The folder in which one model at one commit arrives."""

    folder: Path

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def parts(self) -> Path:
        return self.folder / "parts"


@contextmanager
def arriving(model: HubModel, variant: str | None) -> Iterator[Place]:
    """Yield the model's folder, held by this process alone; what is in it stays.

    Raises `BadInputError` where another process is downloading the same.
    """
    root = Path(settings.CHECKPOINT_DIR) / "hub"
    root.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    name = "--".join([*model.repo.split("/"), model.commit, *([variant] if variant else [])])
    place = Place(root / name)
    for folder in (place.files, place.parts):
        folder.mkdir(parents=True, exist_ok=True)
    with (place.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInputError(
                f"another process is downloading {model.repo}; wait until it is done."
            ) from error
        yield place


def fetch(model: HubModel, wanted: list[Wanted], place: Place, progress: Progress) -> Path:
    """Bring every wanted file into `place`; return the folder they lie in.

    Raises `BadInputError` for more than CHECKPOINT_MAX_BYTES or than there is room for, before the
    first byte; and for a file that is larger than was said, has another hash, or does not come.
    """
    total = sum(each.file.size for each in wanted)
    missing = [each for each in wanted if not (place.files / each.saved_as).exists()]
    _check_room(model, total, sum(each.file.size for each in missing), place)
    done = total - sum(each.file.size for each in missing)
    for each in missing:
        before = done
        _fetch_one(model, each, place, lambda here, before=before: progress(before + here, total))  # type: ignore[misc]
        done += each.file.size
    progress(done, total)
    return place.files


def _check_room(model: HubModel, total: int, missing: int, place: Place) -> None:
    if total > settings.CHECKPOINT_MAX_BYTES:
        raise BadInputError(
            f"{model.repo} has {total:,} bytes to download, more than "
            f"{settings.CHECKPOINT_MAX_BYTES:,} (CHECKPOINT_MAX_BYTES)."
        )
    free = shutil.disk_usage(place.folder).free
    if missing > free:
        raise BadInputError(
            f"{model.repo} needs {missing:,} bytes and {free:,} are free; make room and run this "
            "again."
        )


class LyingHubError(BadInputError):
    """The content is not what the list of files says: the part is worthless."""


def _fetch_one(
    model: HubModel, wanted: Wanted, place: Place, progress: Callable[[int], None]
) -> None:
    part = place.parts / hashlib.sha256(wanted.file.name.encode()).hexdigest()
    try:
        _receive(model, wanted.file, part, progress)
        _check_digest(wanted.file, part)
    except LyingHubError:
        part.unlink(missing_ok=True)
        raise
    if is_table(wanted.file.name) and wanted.saved_as != wanted.file.name:
        _name_shards_plainly(wanted.file, part)
    target = place.files / wanted.saved_as
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, target)


def _receive(model: HubModel, file: HubFile, part: Path, progress: Callable[[int], None]) -> None:
    """Get what of a file is not here yet, trying again as long as bytes come."""
    import httpx2

    attempts = 0
    with said_plainly(model.repo):
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                _get(model, file, part, progress)
                return
            except httpx2.TransportError:
                attempts = 0 if part.stat().st_size > before else attempts + 1
                if attempts >= _ATTEMPTS:
                    raise
            time.sleep(_PAUSE)


def _get(model: HubModel, file: HubFile, part: Path, progress: Callable[[int], None]) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars

    disable_progress_bars("huggingface_hub.http_get")  # one bar for all files is ours
    url = hf_hub_url(model.repo, file.name, revision=model.commit, endpoint=settings.HF_ENDPOINT)
    with _Bounded(part, file, progress) as opened:
        if opened.here == file.size:
            return
        try:
            http_get(
                url,
                opened,
                resume_size=opened.here,
                headers=build_hf_headers(library_name="evalplatform"),
                expected_size=file.size,
            )
        except OSError as error:
            if error.errno is None and "Consistency check" in str(error):
                raise LyingHubError(
                    f"the hub says that {file.name} has {file.size:,} bytes and sends "
                    f"{opened.here:,}; ask again, or report it to the model's owner."
                ) from error
            raise
        except ValueError as error:
            raise BadInputError(
                f"{file.name} has {file.size:,} bytes, more than the hub sends in one answer; look "
                "for a revision whose weights are in shards."
            ) from error


class _Bounded(io.FileIO):
    """A file at whose end is written, never beyond the size that was said."""

    def __init__(self, path: Path, file: HubFile, progress: Callable[[int], None]) -> None:
        super().__init__(path, "r+" if path.exists() else "x+")
        self._file = file
        self._progress = progress
        self.here = self.seek(0, os.SEEK_END)
        if self.here > file.size:
            self.here = self.truncate(0)
            self.seek(0)
        progress(self.here)

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._file.size:
            raise LyingHubError(
                f"the hub says that {self._file.name} has {self._file.size:,} bytes and sends "
                "more; nothing of it is kept."
            )
        view = memoryview(data)
        while view:
            view = view[super().write(view) :]
        self.here = self.tell()
        self._progress(self.here)
        return len(data)


def _check_digest(file: HubFile, part: Path) -> None:
    """Hold a whole file against sha256, or git's blob id: sha1 over "blob SIZE", 0, content."""
    if len(file.digest) == 64:
        with part.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    else:
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with part.open("rb") as opened:
            while chunk := opened.read(2**20):
                digest.update(chunk)
        found = digest.hexdigest()
    if found != file.digest:
        raise LyingHubError(
            f"{file.name} arrived with another hash than the hub says; it was removed. Run this "
            "again to fetch it anew."
        )


def _name_shards_plainly(file: HubFile, part: Path) -> None:
    try:
        part.write_bytes(plain_table(part.read_bytes()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"{file.name} is no table of shards; the model is broken.") from error


def _remove_abandoned(root: Path) -> None:
    for folder in root.iterdir():
        with suppress(FileNotFoundError):  # another process has just finished with it
            newest = max((path.stat().st_mtime for path in folder.rglob("*")), default=0.0)
            if time.time() - newest > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
