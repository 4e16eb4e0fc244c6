"""What the operator's page, commands and metrics show of generation."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from evalplatform.accounts.projects import Asking, Role, projects_of, visible_to
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.estimates import seconds_to_finish
from evalplatform.generation.models import (
    GenerationBatch,
    GenerationRequest,
    Sample,
    WorkerHeartbeat,
)
from evalplatform.generation.selectors import live_workers

Batch = GenerationBatch.Status
_SHOWN = 50  # most recent requests


@dataclass(frozen=True)
class RequestRow:
    """One request and how far it has come."""

    request: GenerationRequest
    ready: int
    total: int
    running: int
    failures: list[GenerationBatch]
    seconds_left: float | None
    may_steer: bool = True

    @property
    def is_complete(self) -> bool:
        return self.ready == self.total

    @property
    def state(self) -> str:
        """One word a person reads."""
        if self.is_complete:
            return "done"
        if self.request.status != GenerationRequest.Status.ACTIVE:
            return self.request.get_status_display().lower()
        if self.request.is_budget_used:
            return "budget used"
        if self.running:
            return "running"
        return "failed" if self.failures else "queued"


@dataclass(frozen=True)
class WorkerRow:
    """One live worker, as it last reported itself."""

    name: str
    seconds_up: float
    device: str
    warm: str
    making: str
    images_made: int
    images_per_second: float | None

    @property
    def rate(self) -> str:
        return "–" if self.images_per_second is None else f"{self.images_per_second:.3g}"


def request_rows(now: datetime, user: Asking | None = None) -> list[RequestRow]:
    """Return what goes on first, in the order it is served, then what is done, latest first.

    Of what exists for `user`; None is a command, for which all does.
    """
    found = _counted() if user is None else visible_to(user, _counted())
    steered = None if user is None else set(projects_of(user, Role.EDITOR).values_list("pk"))
    rows = [
        _request_row(each, now, steered is None or (each.project_id,) in steered)
        for each in found.order_by("-created_at")[:_SHOWN]
    ]
    open_rows = sorted(
        (row for row in rows if not row.is_complete),
        key=lambda row: (-row.request.priority, row.request.created_at),
    )
    return open_rows + [row for row in rows if row.is_complete]


def request_row(name: str, now: datetime) -> RequestRow | None:
    """Return one request by name, or None where nothing was asked of the workers as that."""
    request = _counted().filter(name=name).first()
    return _request_row(request, now) if request else None


def _counted() -> QuerySet[GenerationRequest]:
    planned = Q(batches__samples__status=Sample.Status.PLANNED)
    return GenerationRequest.objects.annotate(
        total=Count("batches__samples"), planned=Count("batches__samples", filter=planned)
    )


def _request_row(request: GenerationRequest, now: datetime, may_steer: bool = True) -> RequestRow:
    total, planned = request.total, request.planned  # type: ignore[attr-defined]  # annotated
    failed = request.batches.filter(status=Batch.FAILED, samples__isnull=False).distinct()
    return RequestRow(
        request=request,
        ready=total - planned,
        total=total,
        running=request.batches.filter(status=Batch.RUNNING).count() if planned else 0,
        failures=list(failed.select_related("checkpoint").order_by("-finished_at")),
        seconds_left=seconds_to_finish(request, now) if planned else None,
        may_steer=may_steer,
    )


def worker_rows(now: datetime, user: Asking | None = None) -> list[WorkerRow]:
    """Return the live workers by name; what they do for other projects has no name there."""
    workers = live_workers(now)
    loaded = Checkpoint.objects.filter(
        pk__in={identifier for worker in workers for identifier in worker.loaded}
    )
    requests = GenerationRequest.objects.filter(
        pk__in={worker.batch.request_id for worker in workers if worker.batch}
    )
    if user is not None:
        loaded, requests = visible_to(user, loaded), visible_to(user, requests)
    names = dict(loaded.values_list("pk", "name"))
    known = set(requests.values_list("pk", flat=True))
    return [
        WorkerRow(
            name=worker.name,
            seconds_up=(now - worker.started_at).total_seconds(),
            device=worker.device,
            warm=_warm([names[each] for each in worker.loaded if each in names], worker),
            making=_making(worker, known),
            images_made=worker.images_made,
            images_per_second=worker.images_per_second,
        )
        for worker in workers
    ]


def _making(worker: WorkerHeartbeat, known: set[int]) -> str:
    if worker.batch is None:
        return ""
    if worker.batch.request_id not in known:
        return "for another project"
    return f"{worker.batch.checkpoint} for {worker.batch.request}"


def _warm(names: list[str], worker: object) -> str:
    if not names:
        return "–"
    used, room = worker.loaded_bytes, worker.memory_bytes  # type: ignore[attr-defined]
    return f"{', '.join(names)} ({used / 2**30:.2g} of {room / 2**30:.2g} GiB)"


def queue_counts() -> dict[str, int]:
    """Return how many batches are in each state, and how many samples wait in them."""
    found = dict(
        GenerationBatch.objects.filter(
            Q(status__in=[Batch.QUEUED, Batch.RUNNING])
            | Q(status=Batch.FAILED, samples__status=Sample.Status.PLANNED)
        )
        .values_list("status")
        .annotate(count=Count("pk", distinct=True))
    )
    planned = Sample.objects.filter(
        status=Sample.Status.PLANNED, batch__status__in=[Batch.QUEUED, Batch.RUNNING]
    ).count()
    names = (Batch.QUEUED, Batch.RUNNING, Batch.FAILED)
    return {name.value: found.get(name.value, 0) for name in names} | {"planned": planned}


def visible_samples(user: Asking, samples: QuerySet[Sample]) -> QuerySet[Sample]:
    """Return the samples that exist for somebody.

    Both of what they are made must: a shared checkpoint shows nobody another project's prompts.
    """
    return visible_to(user, visible_to(user, samples, "checkpoint__"), "prompt__prompt_set__")


def latest_samples(count: int, user: Asking) -> list[Sample]:
    """Return the samples made last, of those that exist for somebody."""
    ready = visible_samples(user, Sample.objects.all()).filter(
        status=Sample.Status.READY, generated_at__isnull=False
    )
    return list(ready.select_related("checkpoint", "prompt").order_by("-generated_at")[:count])
