"""Logs that are brought to a page: built from by a worker, then kept as a set or forgotten."""

import gzip
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evalplatform.accounts.models import Project, User
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.files import write_pieces
from evalplatform.core.locks import session_turn
from evalplatform.core.sending import pieces_of
from evalplatform.core.storable_json import storable_text
from evalplatform.core.waking import may_wake
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.outside import ServerAwayError
from evalplatform.promptsets.building.peek import first_rows
from evalplatform.promptsets.models import LogBuild, PromptSet
from evalplatform.promptsets.services.building import (
    DROPPED,
    PROMPTS,
    BuildOptions,
    NothingLeftError,
    build_prompts,
    keep_built,
)
from evalplatform.promptsets.services.log_choices import (
    LogChoices,
    moderation_server,
    paraphrase_server,
    recipe_of,
    stored_choices,
)
from evalplatform.uploads.room import Promise, promises
from evalplatform.uploads.services import forget_file, whole_files

logger = logging.getLogger(__name__)
State = LogBuild.State
TASK = "promptsets.run_log_build"
MOST_BYTES = 8 * 2**30
KEEP = timedelta(days=14)
SILENT = timedelta(minutes=10)
_EXAMPLES = 3
_BEAT_SECONDS = 1.0
_LONGEST_NAME = 200  # bytes; a file that is being written adds some, and no name has over 255
_OURS = "it is a fault of the platform; the worker's log has the details."


class BuildStoppedError(EvalPlatformError):
    """A build was thrown away while it ran."""


def bring_log(*, project: Project, user: User, file: UploadedFile, now: datetime) -> LogBuild:
    """Store a log that was uploaded, with its columns and first rows.

    Raises `BadInputError` for one that is empty, too large or cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="log-") as folder:
        size, name = file.size or 0, _printable(file.name or "log")
        _refuse_size(name, size)
        path = Path(folder) / name
        write_pieces(path, file.chunks())
        return _keep_log(path, size, project=project, user=user, now=now)


def bring_sent_log(*, project: Project, user: User, sent: str, now: datetime) -> LogBuild:
    """Store a log that was sent in parts (`uploads`); the file that was sent is used up.

    Raises `BadInputError` as `bring_log`, and where no such file is there whole.
    """
    with transaction.atomic():
        (file,) = whole_files(identifiers=[sent], project=project, user=user)
        size, name = file.size_bytes, _printable(file.file_name)
        _refuse_size(name, size)
        # Read by its own name, whose ending says what it is; refused, it may be asked for again.
        with tempfile.TemporaryDirectory(prefix="log-", dir=settings.CHECKPOINT_DIR) as folder:
            path = Path(folder) / name
            os.link(file.path, path)
            build = _keep_log(path, size, project=project, user=user, now=now)
        forget_file(file=file)
    return build


def start_build(
    *, project: Project, user: User, sent: str, choices: LogChoices, now: datetime
) -> LogBuild:
    """Bring a log that was sent and let a worker build with these choices; or nothing of both.

    Raises `BadInputError` as `bring_sent_log`, for choices that no recipe has, and for a column
    that the log has not.
    """
    with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
        recipe_of(choices, Path(folder)).as_dict()  # what is wrong is said now, not by a worker
    with transaction.atomic():
        build = bring_sent_log(project=project, user=user, sent=sent, now=now)
        for column in filter(None, (choices.column, choices.category_column)):
            if column not in build.columns:
                _delete(build.log)
                known = ", ".join(build.columns) or "none: it is plain text"
                raise BadInputError(f"{build} has no column {column[:80]!r}; its columns: {known}.")
        begin_build(build=build, choices=choices)
    return build


def _refuse_size(name: str, size: int) -> None:
    if not 0 < size <= MOST_BYTES:
        raise BadInputError(
            f"{name} has {size:,} bytes; a log of 1 to {MOST_BYTES:,} is taken here; ask an "
            "operator to build a set from any other (docs/prompts.md)."
        )


def _keep_log(path: Path, size: int, *, project: Project, user: User, now: datetime) -> LogBuild:
    forget_old(now=now)
    found = first_rows(Log.at(path))
    with transaction.atomic():
        build = LogBuild.objects.create(
            project=project, created_by=user, created_at=now, file_name=path.name, size_bytes=size,
            columns=found.columns, first_rows=found.rows,
        )  # fmt: skip
        build.log = f"log-builds/{build.pk}/{_sha256(path)}"
        build.save(update_fields=["log"])
        with path.open("rb") as content:
            default_storage.save(build.log, File(content, name=path.name))
    return build


def begin_build(*, build: LogBuild, choices: LogChoices) -> None:
    """Let a worker build with these choices; what was built with others is forgotten.

    Raises `BadInputError` while it runs and once a set is kept.
    """
    waits = LogBuild.objects.filter(
        pk=build.pk, state__in=[State.BROUGHT, State.BUILT, State.FAILED]
    )
    changed = waits.update(
        choices=asdict(choices), state=State.QUEUED, doing="", share=0, beaten_at=timezone.now(),
        error="", recipe=None, examples={}, prompts="", dropped="",
    )  # fmt: skip
    if not changed:
        raise BadInputError(f"{build} is being built, or its set is kept; bring the log again.")
    _delete_results(build)
    build.refresh_from_db()
    transaction.on_commit(lambda: _wake(build.pk))


def _wake(key: int) -> None:
    current_app.send_task(TASK, args=[key], queue="default")


def wake_silent(*, build: LogBuild, now: datetime) -> None:
    """Wake a worker for a build whose worker is gone, or whose message was lost."""
    is_silent = build.beaten_at and build.beaten_at < now - SILENT
    if build.is_being_built and is_silent and may_wake(TASK, build.pk):
        _wake(build.pk)


def run_build(*, key: int, now: datetime) -> LogBuild | None:
    """Build from a log, or go on with it; None where there is nothing to do."""
    # Fetching a large log, and packing what was dropped, is silent for longer than `SILENT`.
    with session_turn(_turn_at(key)) as is_ours:
        build = _run(key, now) if is_ours else None
    _sweep()
    return build


def _turn_at(key: int | str) -> str:
    return f"log build {key}"


def _folders() -> Path:
    return Path(settings.VAR_DIR) / "log-builds"


def _sweep() -> None:
    """Remove what a killed worker left here of a build that nobody goes on with.

    It has a copy of the log, which was thrown away meanwhile, or failed elsewhere.
    """
    for folder in [each for each in _folders().glob("*") if each.name.isdigit()]:
        with session_turn(_turn_at(folder.name)) as is_ours:
            under_way = LogBuild.objects.filter(
                pk=int(folder.name), state__in=[State.QUEUED, State.RUNNING]
            )
            if is_ours and not under_way.exists():
                shutil.rmtree(folder, ignore_errors=True)


def _run(key: int, now: datetime) -> LogBuild | None:
    free = Q(state=State.QUEUED) | Q(state=State.RUNNING, beaten_at__lt=now - SILENT)
    if not LogBuild.objects.filter(free, pk=key).update(state=State.RUNNING, beaten_at=now):
        return None
    build = LogBuild.objects.get(pk=key)
    folder = _folders() / str(build.pk)
    try:
        _build(build, folder)
    except BuildStoppedError:
        pass
    except ServerAwayError as error:
        _fail(build, f"{error.short}; build again once it answers, or without it.")
    except EvalPlatformError as error:
        _fail(build, str(error))
    except OSError as error:
        _fail(build, f"{error.strerror or error}; check the worker's disk and build again.")
    except Exception:
        logger.exception("the build of log %s failed", build.pk)
        _fail(build, f"It could not be built: {_OURS}")
    shutil.rmtree(folder, ignore_errors=True)
    return LogBuild.objects.filter(pk=key).first()


def _build(build: LogBuild, folder: Path) -> None:
    path = folder / "log" / build.file_name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pieces(path, pieces_of(build.log))
    choices = stored_choices(build.choices)
    columns = {"prompt": choices.column, "category": choices.category_column}
    given = {name: column for name, column in columns.items() if column and build.columns}
    made = folder / "build"
    options = BuildOptions(
        recipe=recipe_of(choices, folder),
        folder=made,
        moderation=moderation_server() if choices.moderate else None,
        paraphrase=paraphrase_server() if choices.reword else None,
    )
    log = Log.at(path, columns=given)
    try:
        built = build_prompts(log=log, options=options, say=_Beat(build.pk).say)
    except NothingLeftError as error:
        told = f"{error.short}; loosen a rule or bring another log."
        _store(build, made, state=State.FAILED, error=told, recipe={"funnel": error.funnel})
        return
    prompts = f"log-builds/{build.pk}/{_sha256(made / PROMPTS)[:16]}-{PROMPTS}"
    with (made / PROMPTS).open("rb") as content:
        default_storage.save(prompts, File(content, name=PROMPTS))
    _store(build, made, state=State.BUILT, prompts=prompts, recipe=built.recipe)


def _store(build: LogBuild, made: Path, **results: Any) -> None:
    """Store the dropped lines, packed, and say how the build ended."""
    packed = made / f"{DROPPED}.gz"
    with (made / DROPPED).open("rb") as plain, gzip.open(packed, "wb", compresslevel=3) as out:
        shutil.copyfileobj(plain, out)
    digest = _sha256(packed)
    dropped = f"log-builds/{build.pk}/{digest[:16]}-{packed.name}"
    with packed.open("rb") as content:
        default_storage.save(dropped, File(content, name=packed.name))
    done = LogBuild.objects.filter(pk=build.pk, state=State.RUNNING).update(
        examples=_examples(made / DROPPED), dropped=dropped, dropped_sha256=digest,
        dropped_bytes=packed.stat().st_size, share=1, doing="", **results,
    )  # fmt: skip
    # Thrown away meanwhile; unless a worker that was quicker has stored the same files.
    if not done and not LogBuild.objects.filter(pk=build.pk, dropped=dropped).exists():
        _delete(dropped)
        _delete(results.get("prompts", ""))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Beat:
    """Writes down how far a build is, once a second at most."""

    def __init__(self, key: int) -> None:
        self._key, self._last, self._doing = key, 0.0, ""

    def say(self, what: str, share: float) -> None:
        """Raises `BuildStoppedError` where the build was thrown away."""
        if what == self._doing and monotonic() - self._last < _BEAT_SECONDS:
            return
        self._last, self._doing = monotonic(), what
        mine = LogBuild.objects.filter(pk=self._key, state=State.RUNNING)
        if not mine.update(doing=what[:80], share=min(share, 1.0), beaten_at=timezone.now()):
            raise BuildStoppedError("thrown away while it was built")


def _examples(dropped: Path) -> dict[str, list[dict[str, object]]]:
    """The first dropped lines of each reason; texts of personal data are not written down."""
    found: dict[str, list[dict[str, object]]] = {}
    for row in _rows(dropped):
        some = found.setdefault(str(row["reason"]), [])
        if len(some) < _EXAMPLES:
            some.append({"line": row["line"], "text": str(row.get("text") or "")[:200]})
    return found


def _rows(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _fail(build: LogBuild, error: str) -> None:
    running = LogBuild.objects.filter(pk=build.pk, state=State.RUNNING)
    running.update(state=State.FAILED, error=storable_text(error))


@transaction.atomic
def keep_build(*, build: LogBuild, name: str, licence: str) -> PromptSet:
    """Keep what was built as prompt set `name`, once; the log is forgotten.

    Raises `BadInputError`, also where it was kept, built anew or thrown away meanwhile.
    """
    locked = LogBuild.objects.select_for_update(of=("self",)).filter(pk=build.pk).first()
    if locked is None or locked.state != State.BUILT or not locked.recipe:
        raise BadInputError(f"{build} has nothing that could be kept; build it first.")
    try:
        content = b"".join(pieces_of(locked.prompts))
    except FileNotFoundError as error:
        raise BadInputError(f"the prompts of {build} are gone; build them again.") from error
    kept = keep_built(
        project=locked.project, name=name, content=content, licence=licence, recipe=locked.recipe
    )
    log = locked.log
    LogBuild.objects.filter(pk=build.pk).update(state=State.KEPT, prompt_set=kept, log="")
    transaction.on_commit(lambda: _delete(log))
    return kept


def forget_build(*, build: LogBuild) -> None:
    """Throw a log away with what was built from it; stops a build that runs."""
    key = build.pk
    build.delete()
    _delete(build.log)
    build.pk = key
    _delete_results(build)


def forget_old(*, now: datetime) -> None:
    """Throw away what was brought more than `KEEP` ago; sets that were kept stay."""
    for build in LogBuild.objects.filter(created_at__lt=now - KEEP):
        forget_build(build=build)


def _delete_results(build: LogBuild) -> None:
    _delete(build.prompts)
    _delete(build.dropped)


def _delete(name: str) -> None:
    if name:
        with suppress(FileNotFoundError):
            default_storage.delete(name)


def _printable(name: str) -> str:
    name = name.rpartition("/")[2]
    shown = "".join(each if each.isprintable() else "_" for each in name)
    return shown.encode()[-_LONGEST_NAME:].decode(errors="ignore")


@promises
def _waiting() -> list[Promise]:
    # Logs lie in object storage until they are kept or thrown away; of the disk nothing is to come.
    rows = LogBuild.objects.exclude(log="").values_list("project", "size_bytes")
    return [Promise(project, size, 2 * size) for project, size in rows]
