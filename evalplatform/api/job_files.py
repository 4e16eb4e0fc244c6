"""Files that were sent for a job: they lie in a folder of its own until it has ended."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.api.models import Job
from evalplatform.core.errors import BadInputError
from evalplatform.uploads.models import SentFile
from evalplatform.uploads.room import Promise, promises
from evalplatform.uploads.services import take_up, whole_files


def folder_of(job: Job) -> Path:
    """Where the files of a job lie; nowhere, where none were sent for it."""
    return _room() / str(job.public_id)


def _room() -> Path:
    return Path(settings.CHECKPOINT_DIR) / "job-files"


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


def without_folder(folder: Path, text: str) -> str:
    """Return a text in which nothing is said of where on this machine a folder lies."""
    for each in (folder, folder.resolve()):
        text = text.replace(f"{each}/", "").replace(str(each), "what was sent")
    return text


@contextmanager
def sent_folder(*, sent: Sequence[str], project: Project, user: User) -> Iterator[Path]:
    """Give a folder of files that were sent, by their names, while the block goes on.

    They are used up where it succeeds, and still there where it fails. Raises `BadInputError` for
    files that are not there; one that the block raises says nothing of where the folder lies.
    """
    folder = _room() / str(uuid4())
    with transaction.atomic():
        files = whole_files(identifiers=sent, project=project, user=user)
        try:
            take_up(files=files, into=folder)
            yield folder
        except BadInputError as error:
            raise BadInputError(without_folder(folder, str(error))) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@promises
def _waiting() -> list[Promise]:
    # Taken up whole: nothing more is to come of it, but it lies there until the job has ended.
    rows = Job.objects.filter(finished_at=None, asked__has_key="size_bytes")
    return [
        Promise(project, asked["size_bytes"], 2 * asked["size_bytes"])
        for project, asked in rows.values_list("project", "asked")
    ]
