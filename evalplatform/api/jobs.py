"""Jobs: what a command does in minutes, asked for by the API and done by a worker."""

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from evalplatform.accounts.models import Project, User
from evalplatform.api.job_files import folder_of, forget_files, take_files, without_folder
from evalplatform.api.job_kinds import DOING, REQUESTS, JobKind, NotYetError
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.hub.listing import PREFIX
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.core.errors import (
    BadInputError,
    ConflictError,
    EvalPlatformError,
    NotAllowedError,
)
from evalplatform.core.locks import is_turn_taken, session_turn, take_turn
from evalplatform.core.starts import MOST_STARTS, begin_once_more, why_given_up
from evalplatform.core.storable_json import storable_text
from evalplatform.core.waking import may_wake
from evalplatform.curation.services.pools import check_name
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.runs.services import arm_named, request_newcomer
from evalplatform.uploads.services import whole_files

__all__ = [
    "CALLED_OFF", "TASK", "JobKind", "ask_for_pool", "ask_to_join", "call_off", "check_registering",
    "folders_allowed", "places_allowed", "queue_job", "run_job", "under_way", "wake_soon",
    "wake_stalled_jobs", "wake_waiting_jobs",
]  # fmt: skip

logger = logging.getLogger(__name__)
TASK = "api.run_job"
_STALLED = timedelta(minutes=2)  # a message that woke nobody
_SOON = 10  # seconds
# A worker that lost its connection takes its turn again meanwhile (`core.locks`).
_UNHELD = timedelta(seconds=20)
_KILLED = (
    f"{why_given_up('doing it')} Ask an operator, who finds more in the logs of the worker and of "
    "its machine; ask again once it has more memory, or for less at once."
)
_USED_UP = "What was sent for it is removed: send it again."
CALLED_OFF = "It was called off before it began."


def places_allowed(*places: str | None) -> None:
    """Refuse hubs and paths that the operator has not opened (API_HUBS, API_FOLDERS).

    Raises `NotAllowedError`; a path that leads out of its folder by links or dots is none below it.
    """
    for place in filter(None, places):
        if place.startswith(PREFIX):
            if not settings.API_HUBS:
                raise NotAllowedError(
                    "Hubs are not open to the API of this site. Ask an operator, who can set "
                    "API_HUBS=1, or upload the checkpoint."
                )
            continue
        folders_allowed(place)


def folders_allowed(*places: str | None) -> None:
    """Refuse what is no path below a folder that the operator has opened (API_FOLDERS).

    Raises `NotAllowedError`.
    """
    opened = [Path(each).resolve() for each in settings.API_FOLDERS]
    for place in filter(None, places):
        path = Path(place)
        try:
            real = path.resolve()
        except (OSError, ValueError, RuntimeError):
            real = Path("/")
        if not path.is_absolute() or not any(real.is_relative_to(each) for each in opened):
            raise NotAllowedError(
                "This path is not below a folder that is open to the API of this site. Ask an "
                "operator, who can name folders in API_FOLDERS, or upload the files."
            )


def queue_job(
    *, project: Project, kind: Job.Kind, asked: dict[str, Any], user: User, sent: Sequence[str] = ()
) -> Job:
    """Store a job and wake a worker once it is committed.

    Files that were `sent` (`uploads`) are used up: they wait in the job's folder, and `asked` names
    them as `files`. Raises `BadInputError` for files that are not there.
    """
    with transaction.atomic():
        files = whole_files(identifiers=sent, project=project, user=user) if sent else []
        if files:
            size = sum(each.size_bytes for each in files)
            asked = asked | {"files": [each.file_name for each in files], "size_bytes": size}
        job = Job.objects.create(project=project, kind=kind, asked=asked, created_by=user)
        if files:
            take_files(job=job, files=files)
        transaction.on_commit(lambda: _wake(job.pk))
    return job


def ask_to_join(*, campaign: Campaign, name: str, user: User) -> Job:
    """Ask the workers for an arm's samples, and for it to join; all or nothing.

    The job waits for the samples and their safety checks; asked again meanwhile, it is the same
    one. Raises `BadInputError` for an arm that could not join, and an unknown name.
    """
    asked = {"campaign": campaign.slug, "arm": name}
    with transaction.atomic():
        # It locks what joins: who asks at the same time waits here, and finds the job below.
        request_newcomer(campaign=campaign, maker=arm_named(name, campaign.project))
        coming = under_way(JobKind.ADD_ARM).filter(project=campaign.project, asked=asked)
        return coming.first() or queue_job(
            project=campaign.project, kind=JobKind.ADD_ARM, asked=asked, user=user
        )


def ask_for_pool(*, project: Project, asked: dict[str, Any], user: User) -> Job:
    """Have a pool made of a checkpoint's samples; the job waits for them.

    Asked again meanwhile, it is the same one. Raises `BadInputError` where a pool of that name is
    there or another one on its way, and for a checkpoint or prompt set that the project lacks.
    """
    check_name(asked["name"])
    registered_checkpoint(asked["checkpoint"], project)
    prompt_set_named(asked["prompt_set"], project)
    with transaction.atomic():
        # Who asks at the same time, in any project, waits here, and finds the job below.
        take_turn(f"pool {asked['name']}")
        coming = under_way(JobKind.POOL).filter(asked__name=asked["name"]).first()
        if coming is None:
            return queue_job(project=project, kind=JobKind.POOL, asked=asked, user=user)
        if (coming.project, coming.asked) != (project, asked):
            raise BadInputError(
                f"another pool {asked['name']!r} is on its way already; choose another name."
            )
        return coming


def under_way(kind: JobKind) -> QuerySet[Job]:
    """Return the jobs of a kind that a worker has, or is to take."""
    return Job.objects.filter(kind=kind, status__in=(Job.Status.QUEUED, Job.Status.RUNNING))


def wake_waiting_jobs(sender: Any, *, name: str, **_: Any) -> None:
    """Let jobs go on that wait for the samples of a request, as soon as those are made."""
    for job in Job.objects.filter(kind__in=REQUESTS, status=Job.Status.QUEUED):
        if REQUESTS[JobKind(job.kind)](job.asked) == name:
            _wake(job.pk)


def wake_soon(*, job: Job) -> None:
    """Have a job that waits looked at again, once in a few seconds however often it is called."""
    if may_wake(f"{TASK}.soon", job.pk, seconds=_SOON):
        _wake(job.pk)


def call_off(*, job: Job, now: datetime) -> None:
    """End a job that waits. Raises `ConflictError` where a worker has it, or it has ended.

    Called off twice, it stays so.
    """
    waiting = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED)
    if waiting.update(status=Job.Status.FAILED, reason=CALLED_OFF, finished_at=now):
        forget_files(job)
    job.refresh_from_db()
    if job.reason != CALLED_OFF:
        raise ConflictError("a worker has it already, or it has ended: it cannot be called off.")


def _wake(number: int) -> None:
    current_app.send_task(TASK, args=[number], queue="default")


def wake_stalled_jobs(jobs: QuerySet[Job], *, now: datetime) -> None:
    """Go on with those of `jobs` whose message was lost, or whose worker was killed.

    However often it is called, a job that waits is woken once in two minutes. A job that a worker
    has is left to it, however long it takes.
    """
    for job in jobs.filter(status=Job.Status.QUEUED, created_at__lt=now - _STALLED):
        if may_wake(TASK, job.pk, seconds=int(_STALLED.total_seconds())):
            _wake(job.pk)
    # Read before its turn is looked at: a worker has the turn before it says that it runs.
    for job in jobs.filter(status=Job.Status.RUNNING):
        _look_at_running(job, now)


def _look_at_running(job: Job, now: datetime) -> None:
    """Take a job for killed that was without a worker at two looks, some time apart."""
    if is_turn_taken(_turn_at(job.pk)):
        if job.unheld_since is not None:
            job.as_begun().update(unheld_since=None)
    elif job.unheld_since is None:
        job.as_begun().update(unheld_since=now)
    elif now - job.unheld_since >= _UNHELD:
        _begin_again(job, now)


def _begin_again(job: Job, now: datetime) -> None:
    """Queue a job whose worker was killed; one that kills every worker fails."""
    if job.result or job.starts >= MOST_STARTS:
        _fail(job, _KILLED, now)
    elif job.as_begun().update(status=Job.Status.QUEUED, started_at=None, unheld_since=None):
        _wake(job.pk)


def _turn_at(number: int) -> str:
    return f"api job {number}"


def run_job(*, number: int, now: Callable[[], datetime]) -> Job | None:
    """Do a job; None where another worker has it, or has ended it. Its row says what became of it.

    A message may come while a worker has the job, and does where that takes long; or after that
    worker was killed: then the job is begun again at once.
    """
    with session_turn(_turn_at(number)) as is_ours:
        job = _begin(number, now()) if is_ours else None
        return _do(job, now) if job else None


def _begin(number: int, now: datetime) -> Job | None:
    waiting = Job.objects.filter(pk=number, status__in=(Job.Status.QUEUED, Job.Status.RUNNING))
    begun = begin_once_more(waiting, status=Job.Status.RUNNING, started_at=now, unheld_since=None)
    rows = Job.objects.select_related("project", "created_by")
    return rows.get(pk=number) if begun else None


def _do(job: Job, now: Callable[[], datetime]) -> Job | None:
    try:
        # What it makes may be there from before, when its worker was killed before it said so.
        job.result = job.result or DOING[Job.Kind(job.kind)](job)
    except NotYetError as error:
        return _wait(job, str(error))
    except EvalPlatformError as error:
        return _fail(job, str(error), now())
    except Exception as error:
        said = traceback.format_exception_only(error)[-1][:500].strip()
        _fail(job, f"a fault of the site: {said}", now())
        raise
    return _finish(job, Job.Status.DONE, "", now())


def _wait(job: Job, how_far: str) -> Job | None:
    """Put a job back until it is looked at again; that was no start which counts."""
    waits = {"status": Job.Status.QUEUED, "note": storable_text(how_far)[:500], "started_at": None}
    if not job.as_begun().update(**waits, starts=job.starts - 1):
        return None
    job.refresh_from_db()
    return job


def _fail(job: Job, reason: str, now: datetime) -> Job | None:
    """End a job that broke off: it is done all the same where what it makes was stored before."""
    reason = storable_text(without_folder(folder_of(job), reason))
    job.result = job.as_begun().values_list("result", flat=True).first() or ""
    if not job.result:
        if job.asked.get("files"):
            reason = f"{reason.rstrip('.')}. {_USED_UP}"
        return _finish(job, Job.Status.FAILED, reason, now)
    logger.warning("job %s is done, and broke off after that: %s", job.pk, reason)
    return _finish(job, Job.Status.DONE, "", now)


def _finish(job: Job, status: Job.Status, reason: str, now: datetime) -> Job | None:
    """Say what became of a job; None where it was begun again, and is another worker's."""
    job.status, job.reason, job.finished_at = status, reason, now
    ended = {"status": status, "reason": reason, "result": job.result, "finished_at": now}
    if not job.as_begun().update(**ended):
        return None
    forget_files(job)
    return job


def check_registering(asked: dict[str, Any]) -> None:
    """Raise `BadInputError` for what does not go together, before a worker is woken."""
    if bool(asked["base"]) == bool(asked["source"]):
        raise BadInputError("give source, or base with loras, parts or weights: one of the two.")
    if asked["base"] and not asked["name"]:
        raise BadInputError("give name: of what is made from the base.")
    if not asked["base"] and (asked["loras"] or asked["parts"]):
        raise BadInputError("loras and parts go into a base; name it.")
