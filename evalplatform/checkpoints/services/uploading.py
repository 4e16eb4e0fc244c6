"""Uploads: received in parts that may break off anywhere, then verified by a worker.

Nothing is looked into before it is whole, and then only in the quarantine.
"""

import os
import re
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.checkpoints.models import Checkpoint, Upload
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.checkpoints.services.fusing import (
    Lora,
    check_base,
    register_chosen,
    register_fused,
)
from evalplatform.checkpoints.services.registering import check_name_and_role, register_checkpoint
from evalplatform.checkpoints.verification.archives import ARCHIVES, is_archive
from evalplatform.checkpoints.verification.wording import shown
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.locks import is_turn_taken, session_turn
from evalplatform.core.starts import MOST_STARTS, begin_once_more, why_given_up
from evalplatform.core.storable_json import storable_text
from evalplatform.uploads.receiving import Body, OffsetError, append_part
from evalplatform.uploads.room import Promise, promises, refuse_without_room

TASK = "checkpoints.verify_upload"
_MOST_SCALE = 100
_ABANDONED = timedelta(days=7)  # without a byte
_STALLED = timedelta(seconds=60)  # a message that woke nobody
_SEND_AGAIN = "What was sent is removed, so upload it again then."
_KILLED = (
    f"{why_given_up('verifying it')} That need not be the file's fault: ask an operator, who finds "
    f"more in the logs of the worker and of its machine. {_SEND_AGAIN}"
)
_OUR_FAULT = (
    "That need not be the file's fault: ask an operator, who finds more in the worker's log. "
    f"{_SEND_AGAIN}"
)


@dataclass(frozen=True)
class PartOfBase:
    """What an upload is where it is not whole: which part of which base.

    Attributes:
        base: name of a registered checkpoint that the project may use.
        part: one of `Upload.Part`.
        scale: how much of a LoRA is added, -100 to 100.
    """

    base: str
    part: str = Upload.Part.LORA
    scale: float = 1.0


def begin_upload(
    *,
    project: Project,
    file_name: str,
    size_bytes: int,
    name: str,
    role: str,
    into: PartOfBase | None = None,
    weights: str = "",
    user: User,
    now: datetime,
) -> Upload:
    """Make room in a project for an upload of exactly `size_bytes`; of a part, say of what.

    `weights`: "ema" or "plain" of a whole pipeline that has both.

    Raises `BadInputError` for a file that could never become a checkpoint: before the first byte
    is sent, not after the last.
    """
    _forget_abandoned(now)
    _check_weights(weights, into)
    base = _base_of(project, file_name, into) if into else None
    if into is None:
        _refuse_no_archive(file_name)
    if not 1 <= size_bytes <= settings.CHECKPOINT_MAX_BYTES:
        raise BadInputError(
            f"{size_bytes:,} bytes are outside 1 to {settings.CHECKPOINT_MAX_BYTES:,} "
            "(CHECKPOINT_MAX_BYTES)."
        )
    if not file_name.isprintable():
        raise BadInputError(
            f"{shown(file_name)!r} names no file; name the archive in plain characters."
        )
    chosen = name or Path(file_name).name.split(".")[0]
    check_name_and_role(chosen, role or Checkpoint.Role.EXTERNAL)
    upload = Upload(
        project=project,
        file_name=Path(file_name).name[-200:],
        size_bytes=size_bytes,
        checkpoint_name=chosen,
        role=role,
        base=base,
        part=into.part if into else "",
        scale=into.scale if into else 1.0,
        weights=weights,
        created_by=user,
    )
    upload.folder.mkdir(parents=True)
    try:
        with transaction.atomic():
            refuse_without_room(project=project, size_bytes=size_bytes)
            upload.file.touch()
            upload.save()
    except BaseException:
        upload.remove_files()
        raise
    return upload


def _check_weights(weights: str, into: PartOfBase | None) -> None:
    if weights not in ("", *Upload.Weights.values):
        raise BadInputError(f"weights is {shown(weights)!r}; send ema or plain, or nothing.")
    if weights and into:
        raise BadInputError("weights are chosen of a whole pipeline, not of a part for a base.")


def _refuse_no_archive(file_name: str) -> None:
    if not is_archive(Path(file_name)):
        raise BadInputError(
            f"{shown(file_name)!r} is no archive; send a {', '.join(ARCHIVES)} of the checkpoint's "
            "folder (a single safetensors file: model.safetensors and config/ in one). A LoRA or a "
            "part is a .safetensors file, and names its base."
        )


def _base_of(project: Project, file_name: str, into: PartOfBase) -> Checkpoint:
    """Return the base that a part goes into. Raises `BadInputError` for what does not go."""
    if into.part not in Upload.Part.values:
        raise BadInputError(
            f"part is {shown(into.part)!r}; what goes into a base is one of "
            f"{', '.join(Upload.Part.values)}."
        )
    if not file_name.lower().endswith(".safetensors"):
        raise BadInputError(
            f"{shown(file_name)!r} is no .safetensors file; save the "
            f"{Upload.Part(into.part).label} as one. Pickles are not accepted."
        )
    if not (-_MOST_SCALE <= into.scale <= _MOST_SCALE):
        raise BadInputError(
            f"scale is {into.scale}; how much of a LoRA is added is {-_MOST_SCALE} to "
            f"{_MOST_SCALE}, as a rule 0 to 1."
        )
    if into.scale != 1.0 and into.part != Upload.Part.LORA:
        raise BadInputError("scale is how much of a LoRA is added; a part replaces the base's.")
    base = registered_checkpoint(into.base, project)
    check_base(base)
    return base


def receive(*, upload: Upload, offset: int, body: Body, length: int, now: datetime) -> int:
    """Append `length` bytes of `body` to the upload at `offset`; return how much has arrived.

    What arrived of a part that breaks off is kept. The last byte hands the file to a worker.

    Raises:
        OffsetError: `offset` is not where the file ends, or the part reaches beyond its size.
        BusyError: another request is writing.
    """
    if upload.status != Upload.Status.UPLOADING:
        raise OffsetError(f"this upload is {upload.get_status_display().lower()} already.")
    there = append_part(
        upload.file, size_bytes=upload.size_bytes, offset=offset, body=body, length=length
    )
    if there == upload.size_bytes:
        _hand_over(upload, now)
    return there


@promises
def _unfinished() -> list[Promise]:
    waits = [Upload.Status.UPLOADING, Upload.Status.VERIFYING]
    return [
        Promise(each.project_id, each.size_bytes, each.received_bytes)
        for each in Upload.objects.filter(status__in=waits)
    ]


def _hand_over(upload: Upload, now: datetime) -> None:
    with transaction.atomic():
        changed = Upload.objects.filter(pk=upload.pk, status=Upload.Status.UPLOADING).update(
            status=Upload.Status.VERIFYING, sent_at=now
        )
        if changed:
            transaction.on_commit(lambda: _wake_worker(upload.pk))
    upload.refresh_from_db()


def _wake_worker(identifier: object) -> None:
    current_app.send_task(TASK, args=[str(identifier)], queue="default")


def wake_stalled_uploads(*, now: datetime) -> None:
    """Go on with uploads whose message was lost, or whose process was killed between two steps."""
    for upload in Upload.objects.filter(status=Upload.Status.UPLOADING):
        if upload.received_bytes == upload.size_bytes:
            _hand_over(upload, now)
    for upload in Upload.objects.filter(status=Upload.Status.VERIFYING, sent_at__lt=now - _STALLED):
        if not is_turn_taken(_turn_at(upload.pk)):
            _begin_again(upload, now)


def _begin_again(upload: Upload, now: datetime) -> None:
    """Wake a worker once more; what has killed several is rejected."""
    if upload.starts >= MOST_STARTS:
        _finish(upload, status=Upload.Status.REJECTED, reason=_KILLED)
        return
    # A worker may have taken it since: then it is not asked for again.
    unchanged = Upload.objects.filter(
        pk=upload.pk, status=Upload.Status.VERIFYING, started_at=upload.started_at
    )
    if unchanged.update(sent_at=now, started_at=None):
        _wake_worker(upload.pk)


def _turn_at(identifier: object) -> str:
    """Return the turn that a worker has while it verifies, however long that takes."""
    return f"upload {identifier}"


def verify_upload(*, identifier: str, now: datetime) -> Upload | None:
    """Verify a whole upload and register it, or reject it with the reason; its file is removed.

    None where another worker has it or it is done. One that a killed worker had is begun anew.
    """
    with session_turn(_turn_at(identifier)) as is_ours:
        upload = _begin(identifier, now) if is_ours else None
        return _verify(upload) if upload else None


def _begin(identifier: str, now: datetime) -> Upload | None:
    waiting = Upload.objects.filter(pk=identifier, status=Upload.Status.VERIFYING)
    if not begin_once_more(waiting, started_at=now):
        return None
    return Upload.objects.get(pk=identifier)


def _verify(upload: Upload) -> Upload | None:
    try:
        checkpoint, _ = _register(upload)
    except EvalPlatformError as error:
        return _finish(upload, status=Upload.Status.REJECTED, reason=storable_text(str(error)))
    except Exception as error:
        # A fault of ours or of the disk: said to the person all the same, and to the log.
        said = storable_text(traceback.format_exception_only(error)[-1][:500].strip())
        reason = f"could not be verified: {said}. {_OUR_FAULT}"
        _finish(upload, status=Upload.Status.REJECTED, reason=reason)
        raise
    return _finish(upload, status=Upload.Status.VERIFIED, checkpoint=checkpoint)


def _register(upload: Upload) -> tuple[Checkpoint, bool]:
    project, name, role = upload.project, upload.checkpoint_name, upload.role or None
    if upload.base is None and upload.weights:
        return register_chosen(
            project=project, source=upload.file, config=None, weights=upload.weights, name=name,
            role=role,
        )  # fmt: skip
    if upload.base is None:
        return register_checkpoint(project=project, source=upload.file, name=name, role=role)
    # The record of what was made names the file as the person did, in letters that do no harm.
    stem = re.sub(r"[^\w.-]", "_", Path(upload.file_name).stem)[:100].lstrip(".") or "weights"
    named = upload.folder / "named" / f"{stem}.safetensors"
    named.parent.mkdir(exist_ok=True)
    if not named.exists():
        os.link(upload.file, named)
    is_lora = upload.part == Upload.Part.LORA
    return register_fused(
        project=project,
        base=upload.base,
        loras=[Lora(named, upload.scale)] if is_lora else [],
        parts={} if is_lora else {upload.part: named},
        name=name,
        role=role,
    )


def _finish(upload: Upload, **outcome: object) -> Upload | None:
    """Store what became of an upload and remove its file; None where another worker has it now."""
    held = Upload.objects.filter(
        pk=upload.pk, status=Upload.Status.VERIFYING, started_at=upload.started_at
    )
    if not held.update(**outcome):
        return None
    upload.refresh_from_db()
    upload.remove_files()
    return upload


def cancel_upload(*, upload: Upload) -> None:
    """Forget an upload that is not being verified, and what has arrived of it."""
    with transaction.atomic():
        held = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if held and held.status == Upload.Status.VERIFYING:
            raise BadInputError("this upload is being verified; wait for the result.")
        upload.remove_files()
        upload.delete()


def _forget_abandoned(now: datetime) -> None:
    for upload in Upload.objects.filter(status=Upload.Status.UPLOADING):
        if upload.last_received_at is None or upload.last_received_at < now - _ABANDONED:
            cancel_upload(upload=upload)
