"""Whether each part of the installation works, how long it takes to answer, and what to do.

Read from this process: what the site or a worker of this machine would meet. Nothing of it names
a secret, but addresses stand in it: strangers are told states alone (`views.readyz`).
"""

import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from evalplatform.checkpoints.models import Upload
from evalplatform.core.broker_faults import REFUSALS, advice_on_broker
from evalplatform.core.database_faults import READ_ONLY, DatabaseFault, fault_of
from evalplatform.core.errors import EvalPlatformError
from evalplatform.curation.models import ScoringShard
from evalplatform.generation.models import GenerationBatch
from evalplatform.generation.selectors import live_workers
from evalplatform.images.models import ImageImport
from evalplatform.promptsets.models import LogBuild

_BROKER_SECONDS = 3.0
# A worker takes an upload within a second, and a lost message is sent again within a minute.
_UPLOAD_WAITS = timedelta(minutes=3)
_BUSY_WORKER_TELLS = timedelta(minutes=2)  # once a second, as a rule
# A campaign's copies and an upload are written at once: less room than this ends in failures.
_LITTLE_ROOM = 5 * 2**30


class HealthState(StrEnum):
    """What a part is able to do; `FAILED` of a part that pages need makes the site not ready."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True)
class PartHealth:
    """One part, as it was found. `needed`: without it pages fail.

    `advice` holds for every way in; `by_command` is what only a command adds.
    """

    name: str
    state: HealthState
    said: str
    advice: str
    milliseconds: float
    needed: bool
    by_command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return what `/readyz` says of it."""
        told = asdict(self) | {"state": self.state.value}
        del told["by_command"]
        return told

    def for_command(self) -> str:
        """Return what a command advises."""
        return f"{self.advice} {self.by_command}".rstrip()


@dataclass(frozen=True)
class Found:
    """What a look at a part says, before it is known how long it took."""

    state: HealthState
    said: str
    advice: str = ""
    by_command: str = ""


def look_at_all() -> list[PartHealth]:
    """Return every part's health. Parts of the database are not asked where it is away."""
    parts = [_timed("database", _database, needed=True)]
    if parts[0].state is not HealthState.FAILED:
        parts.append(_timed("tables", _tables, needed=True))
    parts.append(_timed("store", _store, needed=True))
    # The embedded broker is the database; its pool would try for half a minute to reach it.
    is_away = parts[0].state is HealthState.FAILED and settings.CELERY_BROKER_URL.startswith("pgmq")
    parts.append(_timed("broker", _broker_is_database if is_away else _broker, needed=False))
    if all(part.state is not HealthState.FAILED for part in parts[:2]):
        parts.append(_timed("workers", _workers, needed=False))
    parts.append(_timed("disk", _disk, needed=False))
    return parts


def is_ready(parts: list[PartHealth]) -> bool:
    """Whether visitors can be sent here: annotators need neither broker nor workers."""
    return all(part.state is not HealthState.FAILED for part in parts if part.needed)


def _timed(name: str, look: Callable[[], Found], *, needed: bool) -> PartHealth:
    begun = time.perf_counter()
    found = look()
    spent = round((time.perf_counter() - begun) * 1000, 1)
    return PartHealth(name, found.state, found.said, found.advice, spent, needed, found.by_command)


def _database() -> Found:
    try:
        with connection.cursor() as cursor:
            # A standby, and a primary that was demoted, still answer; no vote can be stored there.
            cursor.execute(
                "SELECT current_setting('server_version'), "
                "current_setting('transaction_read_only')::boolean"
            )
            version, takes_no_changes = cursor.fetchone()
    except Error as error:
        fault = fault_of(error)
        if fault is None:
            raise
        return _failed(fault)
    if takes_no_changes:
        return _failed(READ_ONLY)
    return Found(HealthState.OK, f"PostgreSQL {version.split()[0]}")


def _failed(fault: DatabaseFault) -> Found:
    return Found(HealthState.FAILED, fault.said, fault.advice, fault.by_command)


def _tables() -> Found:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Found(
            HealthState.FAILED,
            f"{len(missing)} migrations are not applied",
            "migrate it; of a database that is newer than the code, start the version that made it "
            "(docs/upgrading.md).",
            by_command="`manage.py migrate` applies them.",
        )
    return Found(HealthState.OK, "of this version")


def _store() -> Found:
    where = "an S3-compatible store" if settings.OBJECT_STORAGE_URL else "files"
    name = f"health/{uuid.uuid4().hex}"
    content = name.encode()
    try:
        default_storage.save(name, ContentFile(content))
        with default_storage.open(name) as file:
            kept = file.read() == content
        default_storage.delete(name)
    except (EvalPlatformError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Found(
            HealthState.FAILED,
            f"{where}: {said}",
            "images can be neither stored nor shown; see above.",
        )
    if not kept:
        return Found(
            HealthState.FAILED,
            f"{where}: what was written was read back otherwise",
            "look for a cache between the platform and its store, or a failing disk.",
        )
    return Found(HealthState.OK, f"{where}: written, read, removed")


def _broker() -> Found:
    kind = settings.CELERY_BROKER_URL.partition("://")[0]
    try:
        with current_app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_SECONDS)
    except Exception as error:
        # Each transport has errors of its own, and all mean that no message can be sent.
        fails = "refuses the connection" if isinstance(error, REFUSALS) else "cannot be reached"
        return Found(
            HealthState.FAILED,
            f"{kind} {fails} ({type(error).__name__})",
            f"{advice_on_broker(error)}; what is asked for is written down and done later.",
        )
    return Found(HealthState.OK, f"{kind} answers")


def _broker_is_database() -> Found:
    return Found(HealthState.FAILED, "pgmq is the database, which is away", "see database.")


def _workers() -> Found:
    now = timezone.now()
    workers = live_workers(now)
    batches = GenerationBatch.objects.claimable(now).count()
    scoring = ScoringShard.objects.claimable(now).count()
    queued = f"{batches} batches and {scoring} scoring jobs wait"
    waiting, busy = _sent_and_waiting(now), _is_busy_with_what_was_sent(now)
    if waiting and not busy:
        return Found(
            HealthState.DEGRADED,
            f"{waiting} uploads, imports and logs wait, and no worker of the queue `default` takes "
            "them",
            "start one (docs/production.md#workers).",
            by_command="`celery -A evalplatform.celery worker --pool solo --queues default` is "
            "one.",
        )
    if (batches or scoring) and not workers:
        return Found(
            HealthState.DEGRADED,
            f"{queued}, and no worker takes the queue `generation`",
            "start one on each GPU, or look into its log (docs/production.md#workers).",
        )
    if waiting:
        queued += f"; {waiting} uploads, imports and logs wait for one that is being done"
    return Found(HealthState.OK, f"{len(workers)} take the queue `generation`; {queued}")


def _sent_and_waiting(now: datetime) -> int:
    """Return how much of what people sent lies longer than a worker leaves it."""
    before = now - _UPLOAD_WAITS
    uploads = Upload.objects.filter(
        status=Upload.Status.VERIFYING, started_at__isnull=True, created_at__lt=before
    )
    queued: dict[str, Any] = {"state": "queued", "beaten_at__lt": before}
    others = (ImageImport.objects.filter(**queued), LogBuild.objects.filter(**queued))
    return uploads.count() + sum(each.count() for each in others)


def _is_busy_with_what_was_sent(now: datetime) -> bool:
    """Whether a worker of the queue `default` lives and has an import or a log in hand."""
    done: dict[str, Any] = {"state": "running", "beaten_at__gte": now - _BUSY_WORKER_TELLS}
    return any(each.objects.filter(**done).exists() for each in (ImageImport, LogBuild))


def _disk() -> Found:
    usage = shutil.disk_usage(settings.VAR_DIR)
    said = f"{usage.free / 2**30:.1f} GiB free of {usage.total / 2**30:.0f}"
    if usage.free < _LITTLE_ROOM:
        return Found(
            HealthState.DEGRADED,
            said,
            "remove what can go, or give the disk more room.",
            by_command="`manage.py tidy` says what can go.",
        )
    return Found(HealthState.OK, said)
