"""Imports of images that were sent by a page or the API: begun, done by a worker, told."""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.storable_json import storable_text
from evalplatform.core.waking import may_wake
from evalplatform.images.faults import FaultyRowsError, listed
from evalplatform.images.models import ImageImport
from evalplatform.images.reading.sent import source_in, unpack_archives
from evalplatform.images.services.importing import (
    ImportedCollection,
    check_import,
    discard_import,
    import_collection,
)
from evalplatform.promptsets.models import PromptSet
from evalplatform.uploads.models import SentFile
from evalplatform.uploads.room import Promise, promises
from evalplatform.uploads.services import take_up, whole_files

logger = logging.getLogger(__name__)
State = ImageImport.State
TASK = "images.run_import"
KEEP = timedelta(days=14)
SILENT = timedelta(minutes=10)
_BEAT_SECONDS = 1.0
_LINES = 60  # of faults that are told


class ImportStoppedError(EvalPlatformError):
    """An import was thrown away while it ran."""


@dataclass(frozen=True)
class SentImport:
    """What a person says of the images; `import_collection` says what each does."""

    name: str
    model: str
    prompt_set: PromptSet | None = None
    licence: str = ""
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    skip_bad: bool = False


def begin_import(
    *, project: Project, user: User, sent: Sequence[str], plan: SentImport, now: datetime
) -> ImageImport:
    """Take files up that were sent whole (`uploads`), and let a worker import them.

    Raises `BadInputError` for files that are not there, and for a name or words that no collection
    can have.
    """
    forget_old_imports(now=now)
    _refuse(plan, project)
    with transaction.atomic():
        files = whole_files(identifiers=sent, project=project, user=user)
        begun = ImageImport.objects.create(
            project=project, sent=_in_words(files), size_bytes=sum(f.size_bytes for f in files),
            beaten_at=now, created_by=user, created_at=now, **_fields(plan),
        )  # fmt: skip
        # A database that was brought back from a backup numbers anew what has a folder already.
        shutil.rmtree(begun.folder, ignore_errors=True)
        try:
            take_up(files=files, into=begun.folder)
        except BaseException:
            shutil.rmtree(begun.folder, ignore_errors=True)
            raise
        transaction.on_commit(lambda: _wake(begun.pk))
    return begun


def import_again(*, begun: ImageImport, plan: SentImport, now: datetime) -> None:
    """Try a failed import again, with other words; nothing is sent anew.

    Raises `BadInputError` where it is under way, done or gone.
    """
    _refuse(plan, begun.project)
    failed = ImageImport.objects.filter(pk=begun.pk, state=State.FAILED)
    before = begun.name
    if not failed.update(
        state=State.QUEUED, error="", faults=[], done=0, total=0, beaten_at=now, **_fields(plan)
    ):
        raise BadInputError(f"{begun} did not fail; only what failed is tried again.")
    if before != plan.name:
        _discard(before)
    begun.refresh_from_db()
    transaction.on_commit(lambda: _wake(begun.pk))


def _refuse(plan: SentImport, project: Project) -> None:
    check_import(
        project=project, name=plan.name, model=plan.model, licence=plan.licence,
        source=plan.source, columns=plan.columns,
    )  # fmt: skip
    if plan.prompt_set:
        refuse_foreign(project, plan.prompt_set)


def _fields(plan: SentImport) -> dict[str, object]:
    return {
        "name": plan.name, "model": plan.model, "prompt_set": plan.prompt_set,
        "licence": plan.licence, "source": plan.source, "columns": dict(plan.columns),
        "skip_bad": plan.skip_bad,
    }  # fmt: skip


def _in_words(files: Sequence[SentFile]) -> str:
    first = files[0].file_name.rpartition("/")[2][:150]
    return first if len(files) == 1 else f"{first} and {len(files) - 1:,} more"


def _wake(key: int) -> None:
    current_app.send_task(TASK, args=[key], queue="default")


def wake_silent_import(*, begun: ImageImport, now: datetime) -> None:
    """Wake a worker for an import whose worker is gone, or whose message was lost."""
    if begun.is_under_way and begun.beaten_at < now - SILENT and may_wake(TASK, begun.pk):
        _wake(begun.pk)


def run_import(*, key: int, now: datetime) -> ImageImport | None:
    """Import what was sent, or go on with it; None where there is nothing to do."""
    free = Q(state=State.QUEUED) | Q(state=State.RUNNING, beaten_at__lt=now - SILENT)
    if not ImageImport.objects.filter(free, pk=key).update(state=State.RUNNING, beaten_at=now):
        return None
    begun = ImageImport.objects.select_related("project", "prompt_set", "collection").get(pk=key)
    try:
        _import(begun)
    except ImportStoppedError:
        _discard(begun.name)
    except FaultyRowsError as error:
        _fail(begun, f"{error.short}.", listed(error.faults)[:_LINES])
    except EvalPlatformError as error:
        _fail(begun, str(error))
    except OSError as error:
        _fail(begun, f"{error.strerror or error}; look at the worker's disk, then try again.")
    except Exception:
        logger.exception("import %s failed", begun.pk)
        _fail(begun, "a fault of the platform; the worker's log has the details.")
    found = ImageImport.objects.filter(pk=key).first()
    if found is None:  # thrown away meanwhile: so goes what was written since
        shutil.rmtree(begun.folder, ignore_errors=True)
    return found


def _import(begun: ImageImport) -> None:
    made = begun.collection  # where a worker died between making it and saying so
    if made is None:
        unpack_archives(begun.folder, _still_unpacking(begun.pk))
        made = import_collection(
            project=begun.project, path=source_in(begun.folder), name=begun.name,
            model=begun.model, prompt_set=begun.prompt_set, licence=begun.licence,
            source=begun.source, columns=begun.columns, skip_bad=begun.skip_bad,
            created_by=begun.created_by, progress=_beat(begun.pk), made=_made_of(begun),
            within=begun.folder.resolve(),
        ).collection  # fmt: skip
    running = ImageImport.objects.filter(pk=begun.pk, state=State.RUNNING)
    running.update(state=State.DONE, done=made.image_count, total=made.image_count)
    shutil.rmtree(begun.folder, ignore_errors=True)


def _made_of(begun: ImageImport) -> Callable[[ImportedCollection], None]:
    """Return what writes down what an import came to: with the collection, or not at all.

    A worker may die right after, and the next one no longer knows what was left out.
    """

    def made(imported: ImportedCollection) -> None:
        left_out = listed(imported.left_out)[:_LINES]
        mine = ImageImport.objects.filter(pk=begun.pk, state=State.RUNNING)
        if not mine.update(
            collection=imported.collection,
            faults=[_without_folder(each, begun.folder) for each in left_out],
            missing=len(imported.missing),
        ):
            raise ImportStoppedError("thrown away while it was imported")

    return made


def _beat(key: int) -> Callable[[int, int], None]:
    """Return what writes down how far an import is, once a second at most."""
    last = 0.0

    def beat(done: int, total: int) -> None:
        nonlocal last
        is_between = not total or 0 < done < total
        if is_between and monotonic() - last < _BEAT_SECONDS:
            return
        last = monotonic()
        mine = ImageImport.objects.filter(pk=key, state=State.RUNNING)
        if not mine.update(done=done, total=total, beaten_at=timezone.now()):
            raise ImportStoppedError("thrown away while it was imported")

    return beat


def _still_unpacking(key: int) -> Callable[[], None]:
    beat = _beat(key)
    return lambda: beat(0, 0)


def _fail(begun: ImageImport, error: str, faults: Sequence[str] = ()) -> None:
    """Store why; of this machine's folders nothing is said.

    Once the collection is made nothing has failed: the next worker says so.
    """
    told = [_without_folder(each, begun.folder) for each in (error, *faults)]
    running = ImageImport.objects.filter(pk=begun.pk, state=State.RUNNING, collection=None)
    running.update(state=State.FAILED, error=told[0], faults=told[1:])


def _without_folder(text: str, folder: Path) -> str:
    for place in (folder, folder.resolve()):
        text = text.replace(f"{place}/", "").replace(str(place), "what was sent")
    return storable_text(text)


def forget_image_import(*, begun: ImageImport) -> None:
    """Throw an import away with what was sent; a collection that was made stays."""
    folder, name, state = begun.folder, begun.name, begun.state
    begun.delete()
    shutil.rmtree(folder, ignore_errors=True)
    if state == State.FAILED:
        _discard(name)


def _discard(name: str) -> None:
    with suppress(BadInputError):  # another of this name runs, and needs what is there
        discard_import(name=name)


def forget_old_imports(*, now: datetime) -> None:
    """Throw away what was sent more than `KEEP` ago and is not imported now; collections stay."""
    old = ImageImport.objects.filter(created_at__lt=now - KEEP)
    for begun in old.exclude(state=State.RUNNING, beaten_at__gte=now - SILENT):
        forget_image_import(begun=begun)


@promises
def _waiting() -> list[Promise]:
    # What was taken up lies there until it is imported; unpacked, an archive comes to more.
    rows = ImageImport.objects.exclude(state=State.DONE)
    return [
        Promise(project, size, 2 * size if state == State.FAILED else size)
        for project, size, state in rows.values_list("project", "size_bytes", "state")
    ]
