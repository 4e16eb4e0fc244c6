"""Files that are sent in parts, for a build from a log or an import of images to take up."""

import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import is_operator
from evalplatform.core.errors import BadInputError
from evalplatform.uploads.models import SentFile
from evalplatform.uploads.receiving import Body, append_part
from evalplatform.uploads.room import Promise, promises, refuse_without_room

MOST_FILES = 20_000
_ABANDONED = timedelta(days=7)  # without a byte
_MOST_FOLDERS = 6
_LONGEST_NAME = 255  # bytes, of most file systems


def begin_file(
    *, project: Project, file_name: str, size_bytes: int, user: User, now: datetime
) -> SentFile:
    """Make room in a project for a file of exactly `size_bytes`; `file_name` is a relative path.

    Raises `BadInputError` for a name that could land elsewhere, and where there is no room.
    """
    _forget_abandoned(now)
    if size_bytes > settings.CHECKPOINT_MAX_BYTES:
        raise BadInputError(
            f"{size_bytes:,} bytes are more than {settings.CHECKPOINT_MAX_BYTES:,} "
            "(CHECKPOINT_MAX_BYTES)."
        )
    file = SentFile(
        project=project, file_name=_checked(file_name), size_bytes=size_bytes, created_by=user
    )
    file.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with transaction.atomic():
            refuse_without_room(project=project, size_bytes=size_bytes)
            file.path.touch()
            file.save()
    except BaseException:
        file.path.unlink(missing_ok=True)
        raise
    return file


def _checked(name: str) -> str:
    parts = name.split("/")
    bad = (
        not name.isprintable()
        or len(name) > 400
        or len(parts) > _MOST_FOLDERS + 1
        or any(part in ("", ".", "..") or "\\" in part for part in parts)
        or any(len(part.encode()) > _LONGEST_NAME for part in parts)
    )
    if bad:
        raise BadInputError(
            f"a file is named {name[:80]!a}; accepted are plain names, or relative paths of at "
            f"most {_MOST_FOLDERS} folders and 400 characters."
        )
    return name


def receive_file(*, file: SentFile, offset: int, body: Body, length: int) -> int:
    """Append a part; return how much has arrived. Raises as `receiving.append_part`."""
    there = append_part(
        file.path, size_bytes=file.size_bytes, offset=offset, body=body, length=length
    )
    SentFile.objects.filter(pk=file.pk).update(arrived_bytes=there)
    return there


def forget_file(*, file: SentFile) -> None:
    """Remove a file with its row."""
    path = file.path
    file.delete()
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def whole_files(*, identifiers: Iterable[str], project: Project, user: User) -> list[SentFile]:
    """Return files that were sent whole to a project, locked: call it in a transaction.

    Another person's do not exist here, unless an operator asks. Raises `BadInputError` where one
    is not known or not whole, and for none or too many.
    """
    asked = list(dict.fromkeys(_identifier(each) for each in identifiers))
    if not 1 <= len(asked) <= MOST_FILES:
        raise BadInputError(
            f"{len(asked):,} files are named; accepted: 1 to {MOST_FILES:,}. Pack more as one."
        )
    rows = SentFile.objects.select_for_update().filter(pk__in=asked, project=project)
    if not is_operator(user):
        rows = rows.filter(created_by=user)
    found = list(rows)
    if len(found) < len(asked):
        raise BadInputError(
            f"{len(asked) - len(found):,} of {len(asked):,} files are not known in {project}: "
            "taken up already, another person's, or forgotten after a week; send them again."
        )
    for file in found:
        if not file.is_whole:
            raise BadInputError(
                f"{file} has not arrived whole: {file.received_bytes:,} of {file.size_bytes:,} "
                "bytes; go on sending."
            )
    return found


def _identifier(given: str) -> uuid.UUID:
    try:
        return uuid.UUID(given)
    except ValueError:
        raise BadInputError(
            f"{given[:40]!r} names no file that was sent; give the last part of its address."
        ) from None


def take_up(*, files: Sequence[SentFile], into: Path) -> None:
    """Move files below a folder by their names, and forget their rows: call it in a transaction.

    Until that is committed they lie at their old place too. Raises `BadInputError` where two have
    one name, or a name is a file and a folder.
    """
    for file in files:
        target = into / file.file_name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file.path, target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise BadInputError(f"{file} was sent twice, or is a file and a folder.") from error
    paths = [file.path for file in files]
    SentFile.objects.filter(pk__in=[file.pk for file in files]).delete()
    transaction.on_commit(lambda: _remove(paths))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@promises
def _unfinished() -> list[Promise]:
    # Summed up in the database: a folder of images is thousands of files, begun one by one.
    rows = SentFile.objects.order_by().values("project")
    return [
        Promise(each["project"], each["size"], each["arrived"])
        for each in rows.annotate(size=Sum("size_bytes"), arrived=Sum("arrived_bytes"))
    ]


def _forget_abandoned(now: datetime) -> None:
    for file in SentFile.objects.filter(created_at__lt=now - _ABANDONED):
        if file.last_received_at is None or file.last_received_at < now - _ABANDONED:
            forget_file(file=file)
