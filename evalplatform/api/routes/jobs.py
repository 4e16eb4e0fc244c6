"""Jobs that workers do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Schema

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.api.callers import Scope
from evalplatform.api.fields import words
from evalplatform.api.jobs import call_off, wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes

routes = Routes(tags=["jobs"])


class JobOut(Schema):
    """A job: ask again until it is done or failed."""

    id: UUID
    project: str
    kind: str = words(Job.Kind.values)
    status: str = words(Job.Status.values)
    note: str
    reason: str
    result: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@routes.reads("/jobs", Page[JobOut])
def list_jobs(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Jobs of your projects, the latest first."""
    rows = visible_to(request.user, Job.objects.select_related("project"))
    return page_of(rows, paging, job_shown, latest_first=True)


@routes.reads("/jobs/{identifier}", JobOut)
def get_job(request: HttpRequest, identifier: UUID) -> JobOut:
    """How far a job is, or what became of it."""
    rows = visible_to(request.user, Job.objects.filter(public_id=identifier))
    wake_stalled_jobs(rows, now=timezone.now())
    found = rows.select_related("project").first()
    if found is None:
        raise Http404
    return job_shown(found)


@routes.does("/jobs/{identifier}/call-off", JobOut, scope=Scope.CAMPAIGNS)
def call_off_job(request: HttpRequest, identifier: UUID) -> JobOut:
    """End a job that is `queued`, such as an arm or a pool that waits for samples: it fails. What
    the workers were asked for is made all the same, unless its generation is cancelled.
    """
    rows = Job.objects.select_related("project")
    job: Job = steered_or_404(request.user, rows, Role.EDITOR, public_id=identifier)
    call_off(job=job, now=timezone.now())
    return job_shown(job)


def job_shown(job: Job) -> JobOut:
    """Return a job as an answer shows it."""
    return JobOut(
        id=job.public_id, project=job.project.name, kind=job.kind, status=job.status,
        note=job.note, reason=job.reason, result=job.result, created_at=job.created_at,
        started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip
