"""Reading generation: who is alive, what waits, how far a request has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import (
    GenerationBatch,
    GenerationRequest,
    Sample,
    WorkerHeartbeat,
)
from evalplatform.generation.sample_keys import Asked, rows_of

HEARTBEAT_SECONDS = 5
# A worker that missed this many heartbeats is taken for dead.
_MISSED = 4

Batch = GenerationBatch.Status


@dataclass(frozen=True)
class GenerationProgress:
    """How far a set of samples has come."""

    ready: int
    total: int
    failures: list[str]

    @property
    def is_complete(self) -> bool:
        return self.ready == self.total


def progress_of(samples: Asked) -> GenerationProgress:
    """Return how many of `samples` are ready, and why batches among them failed."""
    rows = rows_of(samples)
    failed = GenerationBatch.objects.filter(status=Batch.FAILED)
    if failed.exists():  # of any request; of these samples is dear to ask at every look
        planned = rows.filter(status=Sample.Status.PLANNED)
        failed = failed.filter(samples__in=planned).distinct()
    return GenerationProgress(
        ready=rows.filter(status=Sample.Status.READY).count(),
        total=len(samples),
        failures=[f"{batch} failed: {batch.error}" for batch in failed],
    )


def request_named(name: str) -> GenerationRequest:
    """Return the request of this name. Raises `BadInputError` listing the known ones."""
    request = GenerationRequest.objects.filter(name=name).first()
    if request is None:
        known = ", ".join(GenerationRequest.objects.values_list("name", flat=True)[:20])
        raise BadInputError(
            f"nothing was asked of the workers as {name!r}; known: {known or 'nothing yet'}."
        )
    return request


def live_since(now: datetime) -> datetime:
    """Return the moment after which a living worker has reported itself."""
    return now - timedelta(seconds=HEARTBEAT_SECONDS * _MISSED)


NO_WORKER = "No worker lives: ask an operator to start one."


def live_workers(now: datetime) -> list[WorkerHeartbeat]:
    """Return the workers that reported themselves lately, by name."""
    return list(
        WorkerHeartbeat.objects.filter(seen_at__gte=live_since(now))
        .select_related("batch__checkpoint", "batch__request")
        .order_by("name")
    )


def too_large_for_all(request: GenerationRequest, now: datetime) -> list[str]:
    """Return the checkpoints that wait for a worker with more memory than any live one has.

    Nothing while a worker has not measured its device yet.
    """
    devices = [worker.device_bytes for worker in live_workers(now)]
    if not devices or 0 in devices:
        return []
    waiting = request.batches.filter(
        status=Batch.QUEUED, checkpoint__loaded_bytes__gt=max(devices)
    ).values_list("checkpoint__name", flat=True)
    return sorted(set(waiting))
