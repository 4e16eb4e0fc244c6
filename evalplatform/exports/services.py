"""Exports in the background: asked for, made by a worker, kept for a while, removed."""

from __future__ import annotations

import logging
import re
import zipfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from shutil import rmtree

from celery import current_app
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.locks import session_turn
from evalplatform.core.waking import may_wake
from evalplatform.exports.building import Built, build
from evalplatform.exports.models import Export
from evalplatform.exports.options import Options, options_from
from evalplatform.exports.parts import sha256_of
from evalplatform.exports.state import is_finished

logger = logging.getLogger(__name__)

TASK = "exports.make_export"
KEEP = timedelta(days=14)
SILENT = timedelta(minutes=10)
"""Of an export that is silent for so long, the worker may be gone."""
_MOST_AT_ONCE = 5
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS = "it is a fault of the platform; the worker's log has the details."


class ExportStoppedError(EvalPlatformError):
    """An export was removed while it was being made."""


def request_export(*, campaign: Campaign, options: Options, user: User | None) -> Export:
    """Ask for an export; one that is being made with the same options is returned as it is.

    Raises `BadInputError` for a campaign that has not opened, and while too many wait.
    """
    if not campaign.is_frozen:
        raise BadInputError("The campaign has not opened yet, so there is nothing to export.")
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)  # one asks at a time
        waiting = campaign.exports.filter(state__in=[Export.State.QUEUED, Export.State.RUNNING])
        same = waiting.filter(options=options.as_json()).first()
        if same:
            return same
        if waiting.count() >= _MOST_AT_ONCE:
            raise BadInputError(
                f"{_MOST_AT_ONCE} exports of this campaign are being made; wait for one of them, "
                "or remove one."
            )
        export = Export.objects.create(
            campaign=campaign,
            kind=options.kind,
            options=options.as_json(),
            asked_by=user,
            asked_at=timezone.now(),
            rows_expected=_expected(campaign, options),
        )
        transaction.on_commit(lambda: wake(export))
    return export


def wake(export: Export) -> None:
    """Tell a worker to make it. One message too many does no harm."""
    current_app.send_task(TASK, args=[export.pk], queue="default")


def _expected(campaign: Campaign, options: Options) -> int | None:
    if not options.is_whole:
        return None
    votes = Vote.objects.filter(assignment__campaign=campaign, retracted_at__isnull=True)
    return votes.filter(assignment__purpose="main").count()


def make_export(*, key: int, now: datetime) -> Export | None:
    """Make one that was asked for, or go on with it; None where there is nothing to do.

    What a person can act on is stored as its error; else only that it is our fault.
    """
    # Packing and storing a large archive is silent for longer than `SILENT`.
    with session_turn(_turn_at(key)) as is_ours:
        export = _claimed(key, now) if is_ours else None
        if export is not None:
            _make(export)
    if export is not None:
        remove_expired(now=now)
        _sweep()
    return export


def _turn_at(key: int) -> str:
    return f"export {key}"


def _sweep() -> None:
    """Remove what a killed worker left here of exports that nobody goes on with."""
    waiting = [Export.State.QUEUED, Export.State.RUNNING]
    there = {each.name: each for each in _folders().glob("*") if _ID.fullmatch(each.name)}
    left = Export.objects.filter(public_id__in=there).exclude(state__in=waiting)
    for export in left:
        with session_turn(_turn_at(export.pk)) as is_ours:
            if is_ours:
                rmtree(there[str(export.public_id)], ignore_errors=True)


def _make(export: Export) -> None:
    folder = _folder(export)
    if is_finished(folder / "export"):
        rmtree(folder)  # whoever made it was killed before it was stored
    try:
        built = build(
            export.campaign,
            options_from(export.options),
            folder / "export",
            progress=lambda rows: _beat(export, rows),
        )
        _store(export, built, folder)
    except ExportStoppedError:
        pass
    except EvalPlatformError as error:
        _fail(export, str(error))
    except OSError as error:
        _fail(export, f"{error.strerror or error}; check the worker's disk and ask again.")
    except Exception:
        logger.exception("export %s failed", export.public_id)
        _fail(export, f"It could not be made: {_OURS}")
    rmtree(folder, ignore_errors=True)


def _claimed(key: int, now: datetime) -> Export | None:
    """Take it, unless it is done or somebody has just shown signs of life; the turn is ours."""
    is_free = Q(state=Export.State.QUEUED) | Q(
        state=Export.State.RUNNING, beaten_at__lt=now - SILENT
    )
    taken = Export.objects.filter(is_free, pk=key).update(state=Export.State.RUNNING, beaten_at=now)
    return Export.objects.select_related("campaign").get(pk=key) if taken else None


def _folders() -> Path:
    return Path(settings.VAR_DIR) / "exports"


def _folder(export: Export) -> Path:
    return _folders() / str(export.public_id)


def _beat(export: Export, rows: int) -> None:
    """Show a sign of life and how far it is. Raises `ExportStoppedError` where it was removed."""
    mine = Export.objects.filter(pk=export.pk, state=Export.State.RUNNING)
    if not mine.update(rows=rows, beaten_at=timezone.now()):
        raise ExportStoppedError("removed while it was being made")


def _store(export: Export, built: Built, folder: Path) -> None:
    """Put it into the object store as one archive, and say that it is ready."""
    stem = f"{export.campaign.slug}-{export.kind}"
    name = stem + ("-" + built.marks.in_file_names.strip("-") if built.marks.notes else "")
    archive = folder / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for each in sorted(built.files):
            is_packed = each.endswith((".parquet", ".png", ".jpg", ".pdf"))
            how = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
            packed.write(built.folder / each, f"{name}/{each}", compress_type=how)
    _beat(export, built.rows)
    digest = sha256_of(archive)
    # Of two workers that make it, neither writes over what the other has stored.
    stored_as = f"exports/{export.public_id}-{digest[:16]}.zip"
    with archive.open("rb") as content:
        default_storage.save(stored_as, File(content, name=archive.name))
    now = timezone.now()
    done = Export.objects.filter(pk=export.pk, state=Export.State.RUNNING).update(
        state=Export.State.DONE,
        finished_at=now,
        removed_after=now + KEEP,
        file=stored_as,
        file_name=archive.name,
        size_bytes=archive.stat().st_size,
        sha256=digest,
        files=built.files,
        rows=built.rows,
    )
    # Removed meanwhile; unless a worker that was quicker has stored the same.
    if not done and not Export.objects.filter(pk=export.pk, file=stored_as).exists():
        default_storage.delete(stored_as)
    export.refresh_from_db()


def _fail(export: Export, error: str) -> None:
    failed = Export.objects.filter(pk=export.pk, state=Export.State.RUNNING)
    failed.update(state=Export.State.FAILED, error=error, finished_at=timezone.now())
    export.refresh_from_db()


def remove_export(*, export: Export) -> bool:
    """Remove an export's files, or stop one that is being made; False where it is removed."""
    removed = Export.objects.filter(pk=export.pk).exclude(state=Export.State.REMOVED)
    if not removed.update(state=Export.State.REMOVED):
        return False
    if export.file:
        with suppress(FileNotFoundError):
            default_storage.delete(export.file)
    return True


def remove_expired(*, now: datetime) -> int:
    """Remove the files of exports that were kept long enough; return of how many."""
    expired = Export.objects.filter(state=Export.State.DONE, removed_after__lt=now)
    return sum(remove_export(export=each) for each in expired)


def wake_silent(*, campaign: Campaign, now: datetime) -> int:
    """Wake workers for exports whose worker is gone, or whose message was lost; return how many."""
    silent = campaign.exports.filter(
        Q(state=Export.State.RUNNING, beaten_at__lt=now - SILENT)
        | Q(state=Export.State.QUEUED, asked_at__lt=now - SILENT)
    )
    woken = [each for each in silent if may_wake(TASK, each.pk)]
    for each in woken:
        wake(each)
    return len(woken)
