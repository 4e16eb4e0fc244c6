"""What may go from the disk: things that are made anew, or that nobody came back for."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from evalplatform.core.file_store import FileStore
from evalplatform.images.models import ImageImport
from evalplatform.uploads.models import SentFile

DAYS_LEFT_ALONE = 7


@dataclass(frozen=True)
class Removable:
    """A folder or file that may go, why, and how much room it takes."""

    path: Path
    why: str
    bytes: int


def removable() -> Iterator[Removable]:
    """Yield what may go. Nothing of it is named by a sample, a campaign or a checkpoint."""
    thumbnails = _thumbnails()
    if thumbnails is not None:
        yield from _found(thumbnails, "thumbnails: made anew when somebody looks")
    for folder in sorted((Path(settings.CHECKPOINT_DIR) / "hub").glob("*")):
        if _days_since_written(folder) > DAYS_LEFT_ALONE:
            yield from _found(folder, "a download from a hub that nobody registered for a week")
    waiting = _jobs_not_ended()
    for folder in sorted((Path(settings.CHECKPOINT_DIR) / "job-files").glob("*")):
        if folder.name not in waiting and _days_since_written(folder) > DAYS_LEFT_ALONE:
            yield from _found(folder, "what was sent for a job that ended long ago")
    for place, rows in (
        ("sent", SentFile.objects.all()),
        ("image-imports", ImageImport.objects.all()),
    ):
        yield from _of_no_row(Path(settings.CHECKPOINT_DIR) / place, rows)


def _jobs_not_ended() -> set[str]:
    """Return the names of the folders of jobs that may still read them, however old they are."""
    jobs = apps.get_model("api.Job")._default_manager.filter(finished_at=None)
    return {str(each) for each in jobs.values_list("public_id", flat=True)}


def _of_no_row(place: Path, rows: QuerySet[Any]) -> Iterator[Removable]:
    known = {str(key) for key in rows.values_list("pk", flat=True)}
    for path in sorted(place.glob("*")):
        if path.name not in known and _days_since_written(path) > DAYS_LEFT_ALONE:
            yield from _found(path, "what somebody sent, and nothing knows of any more")


def remove(found: Removable) -> None:
    if found.path.is_dir():
        shutil.rmtree(found.path)
    else:
        found.path.unlink(missing_ok=True)


def _thumbnails() -> Path | None:
    """Return where they lie; in an S3-compatible store a rule of the bucket does it."""
    return (
        Path(default_storage.path("thumbnails")) if isinstance(default_storage, FileStore) else None
    )


def _found(path: Path, why: str) -> Iterator[Removable]:
    size = sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())
    if size:
        yield Removable(path, why, size)


def _days_since_written(folder: Path) -> float:
    written = [each.stat().st_mtime for each in (folder, *folder.rglob("*"))]
    return (time.time() - max(written)) / 86400
