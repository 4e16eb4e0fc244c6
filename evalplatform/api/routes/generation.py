"""What is asked of the workers, and the power a study would have."""

from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Schema

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.api.callers import Scope
from evalplatform.api.etags import refuse_changed, tagged
from evalplatform.api.fields import Given, words
from evalplatform.api.paging import Page, Paging, page_of, page_of_list
from evalplatform.api.routing import Routes
from evalplatform.generation import services
from evalplatform.generation.models import GenerationBatch, GenerationRequest
from evalplatform.generation.overview import WorkerRow, worker_rows

routes = Routes(tags=["generation"])


class GenerationOut(Schema):
    """What one campaign asks of the workers."""

    name: str
    project: str
    status: str = words(GenerationRequest.Status.values)
    priority: int
    budget_seconds: int | None
    spent_seconds: float
    created_at: datetime


class GenerationChange(Given):
    """Priority and budget; what is left out stays, a budget of 0 is no limit."""

    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    budget_seconds: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class BatchOut(Schema):
    """Samples that one worker makes at a time."""

    number: int
    checkpoint: str
    status: str = words(GenerationBatch.Status.values)
    attempts: int
    images_made: int
    seconds: float
    error: str
    created_at: datetime
    finished_at: datetime | None


class WorkerOut(Schema):
    """A live worker, as it last reported itself."""

    name: str
    seconds_up: float
    device: str
    warm: str
    making: str
    images_made: int
    images_per_second: float | None


@routes.reads("/generation", Page[GenerationOut])
def list_generation(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """What was asked of the workers, the latest first."""
    rows = visible_to(request.user, GenerationRequest.objects.select_related("project"))
    return page_of(rows, paging, _shown, latest_first=True)


@routes.reads("/generation/{name}", GenerationOut)
def get_generation(request: HttpRequest, response: HttpResponse, name: str) -> GenerationOut:
    """One campaign's generation; its ETag goes with a change."""
    return tagged(response, _shown(_found(request, name)))


@routes.changes("/generation/{name}", GenerationOut, scope=Scope.CAMPAIGNS)
def change_generation(
    request: HttpRequest, response: HttpResponse, name: str, given: GenerationChange
) -> GenerationOut:
    """Change priority or budget; batches that run are not interrupted."""
    _steered(request, name)
    with transaction.atomic():
        found = GenerationRequest.objects.select_for_update().get(name=name)
        refuse_changed(request, _shown(found))
        services.steer_request(
            request=found, priority=given.priority, budget_seconds=given.budget_seconds
        )
    return tagged(response, _shown(found))


@routes.reads("/generation/{name}/batches", Page[BatchOut])
def list_batches(request: HttpRequest, name: str, paging: Query[Paging]) -> dict[str, Any]:
    """Its batches, with why one failed."""
    rows = _found(request, name).batches.select_related("checkpoint")
    return page_of(rows, paging, _batch)


@routes.does("/generation/{name}/pause", GenerationOut, scope=Scope.CAMPAIGNS)
def pause_generation(request: HttpRequest, name: str) -> GenerationOut:
    """Start no more of its batches."""
    found = _steered(request, name)
    services.pause_request(request=found)
    return _shown(found)


@routes.does("/generation/{name}/resume", GenerationOut, scope=Scope.CAMPAIGNS)
def resume_generation(request: HttpRequest, name: str) -> GenerationOut:
    """Go on."""
    found = _steered(request, name)
    services.resume_request(request=found)
    return _shown(found)


@routes.does("/generation/{name}/cancel", GenerationOut, scope=Scope.CAMPAIGNS)
def cancel_generation(request: HttpRequest, name: str) -> GenerationOut:
    """Drop what is not made yet; samples made are kept."""
    found = _steered(request, name)
    services.cancel_request(request=found)
    return _shown(found)


@routes.does("/generation/{name}/retry", GenerationOut, scope=Scope.CAMPAIGNS)
def retry_generation(request: HttpRequest, name: str) -> GenerationOut:
    """Queue its failed batches again."""
    found = _steered(request, name)
    services.retry_request(request=found)
    return _shown(found)


@routes.reads("/workers", Page[WorkerOut])
def list_workers(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Who makes samples now; what they do for other projects has no name."""
    found = worker_rows(timezone.now(), request.user)
    return page_of_list(found, paging, _worker, key=lambda each: each.name)


def _found(request: HttpRequest, name: str) -> GenerationRequest:
    rows = visible_to(request.user, GenerationRequest.objects.select_related("project"))
    found = rows.filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _steered(request: HttpRequest, name: str) -> GenerationRequest:
    return steered_or_404(request.user, GenerationRequest.objects.all(), Role.EDITOR, name=name)


def _shown(row: GenerationRequest) -> GenerationOut:
    return GenerationOut(
        name=row.name, project=row.project.name, status=row.status, priority=row.priority,
        budget_seconds=row.budget_seconds, spent_seconds=row.spent_seconds,
        created_at=row.created_at,
    )  # fmt: skip


def _batch(row: GenerationBatch) -> BatchOut:
    return BatchOut(
        number=row.pk, checkpoint=row.checkpoint.name, status=row.status, attempts=row.attempts,
        images_made=row.images_made, seconds=row.seconds, error=row.error,
        created_at=row.created_at, finished_at=row.finished_at,
    )  # fmt: skip


def _worker(row: WorkerRow) -> WorkerOut:
    return WorkerOut(
        name=row.name, seconds_up=row.seconds_up, device=row.device, warm=row.warm,
        making=row.making, images_made=row.images_made, images_per_second=row.images_per_second,
    )  # fmt: skip
