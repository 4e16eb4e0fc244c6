"""Files that were sent for a job: they lie in a folder of its own until it has ended."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from evalplatform.api.models import Job
from evalplatform.uploads.models import SentFile
from evalplatform.uploads.room import Promise, promises
from evalplatform.uploads.services import take_up


def folder_of(job: Job) -> Path:
    """Where the files of a job lie; nowhere, where none were sent for it."""
    return Path(settings.CHECKPOINT_DIR) / "job-files" / str(job.public_id)


def take_files(*, job: Job, files: Sequence[SentFile]) -> None:
    """Move files that were sent into the job's folder: call it in a transaction."""
    folder = folder_of(job)
    try:
        take_up(files=files, into=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def forget_files(job: Job) -> None:
    """Remove what was sent for a job."""
    shutil.rmtree(folder_of(job), ignore_errors=True)


def without_folder(job: Job, text: str) -> str:
    """Return a text in which nothing is said of this machine's folders."""
    for folder in (folder_of(job), folder_of(job).resolve()):
        text = text.replace(f"{folder}/", "").replace(str(folder), "what was sent")
    return text


@promises
def _waiting() -> list[Promise]:
    # Taken up whole: nothing more is to come of it, but it lies there until the job has ended.
    rows = Job.objects.filter(finished_at=None, asked__has_key="size_bytes")
    return [
        Promise(project, asked["size_bytes"], 2 * asked["size_bytes"])
        for project, asked in rows.values_list("project", "asked")
    ]
