"""Reading generation progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evalplatform.generation.models import GenerationBatch, Sample, WorkerHeartbeat

HEARTBEAT_SECONDS = 5
# A worker that missed this many heartbeats is taken for dead.
_MISSED = 4


@dataclass(frozen=True)
class GenerationProgress:
    """How far a set of samples has come."""

    ready: int
    total: int
    failures: list[str]

    @property
    def is_complete(self) -> bool:
        return self.ready == self.total


def progress_of(samples: Sequence[Sample]) -> GenerationProgress:
    """Return how many of `samples` are ready, and why batches among them failed."""
    rows = Sample.objects.filter(pk__in=[sample.pk for sample in samples])
    failed = GenerationBatch.objects.filter(
        status=GenerationBatch.Status.FAILED,
        samples__in=rows.filter(status=Sample.Status.PLANNED),
    ).distinct()
    return GenerationProgress(
        ready=rows.filter(status=Sample.Status.READY).count(),
        total=len(samples),
        failures=[f"{batch} failed: {batch.error}" for batch in failed],
    )


def live_workers(now: datetime) -> list[WorkerHeartbeat]:
    """Return the workers that reported themselves lately."""
    since = now - timedelta(seconds=HEARTBEAT_SECONDS * _MISSED)
    return list(WorkerHeartbeat.objects.filter(seen_at__gte=since))
