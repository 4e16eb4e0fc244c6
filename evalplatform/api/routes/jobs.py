"""Jobs that workers do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Schema

from evalplatform.accounts.projects import visible_to
from evalplatform.api.fields import words
from evalplatform.api.jobs import wake_stalled_jobs
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


def job_shown(job: Job) -> JobOut:
    """Return a job as an answer shows it."""
    return JobOut(
        id=job.public_id, project=job.project.name, kind=job.kind, status=job.status,
        note=job.note, reason=job.reason, result=job.result, created_at=job.created_at,
        started_at=job.started_at, finished_at=job.finished_at,
    )  # fmt: skip
