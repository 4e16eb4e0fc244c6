"""A batch's way through a worker's hands. Every step is a conditional update of its row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Func, IntegerField, OuterRef, Subquery, Value, When

from evalplatform.core.leased_jobs import failure, held, take_job
from evalplatform.core.waking import wake_or_wait
from evalplatform.generation.models import GenerationBatch, GenerationRequest, WorkerHeartbeat
from evalplatform.generation.selectors import live_since
from evalplatform.generation.services.waking import send_wakes
from evalplatform.generation.signals import request_finished

Batch = GenerationBatch.Status


def claim_next(
    *,
    worker: str,
    now: datetime,
    loaded: Sequence[int] = (),
    memory_bytes: int | None = None,
) -> GenerationBatch | None:
    """Take the batch that `worker` should work on next, or return None where there is none.

    Requests go by priority, then by age. Within a request a worker stays with the checkpoints it
    has `loaded` (most recently used last), then takes one that the fewest others hold, so that
    weights are read as seldom as possible. A checkpoint larger than `memory_bytes` is left to a
    larger worker.
    """
    with transaction.atomic():
        while True:
            batch = (
                _in_order(GenerationBatch.objects.claimable(now), worker, loaded, now)
                .filter(**({} if memory_bytes is None else _that_fits(memory_bytes)))
                .select_for_update(of=["self"], skip_locked=True)
                .select_related("request", "checkpoint", "settings")
                .first()
            )
            if batch is None:
                return None
            if take_job(job=batch, worker=worker, now=now):
                return batch


def _in_order(batches: Any, worker: str, loaded: Sequence[int], now: datetime) -> Any:
    warm = [
        When(checkpoint_id=identifier, then=Value(-place))
        for place, identifier in enumerate(loaded, start=1)
    ]
    elsewhere = (
        WorkerHeartbeat.objects.filter(seen_at__gte=live_since(now))
        .exclude(name=worker)
        .filter(loaded__contains=[OuterRef("checkpoint_id")])
        .order_by()
        .annotate(holders=Func(F("pk"), function="COUNT"))
        .values("holders")
    )
    return batches.annotate(
        warmth=Case(*warm, default=Value(0), output_field=IntegerField()),
        holders=Subquery(elsewhere, output_field=IntegerField()),
    ).order_by("-request__priority", "request__created_at", "request_id", "warmth", "holders", "pk")


def _that_fits(memory_bytes: int) -> dict[str, int]:
    return {"checkpoint__loaded_bytes__lte": memory_bytes}


def may_go_on(*, batch: GenerationBatch) -> bool:
    """Return whether the worker still has the batch and its request still wants it."""
    still: bool = held(batch).filter(pk__in=GenerationBatch.objects.allowed()).exists()
    return still


def finish_batch(
    *,
    batch: GenerationBatch,
    now: datetime,
    stages: Mapping[str, float],
    environment: dict[str, str],
) -> None:
    """Mark a batch done, unless its lease was lost to another worker meanwhile."""
    done = held(batch).update(
        status=Batch.DONE,
        lease_expires_at=None,
        finished_at=now,
        error="",
        stages=_added(batch.stages, stages),
        environment=environment,
    )
    request = batch.request
    if done and not request.batches.unfinished().exists():
        # What others make of it is no fault of the batch.
        transaction.on_commit(
            lambda: request_finished.send_robust(GenerationRequest, name=request.name, now=now)
        )


def _added(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {
        key: round(before.get(key, 0) + now.get(key, 0), 4) for key in before.keys() | now.keys()
    }


def release_batch(*, batch: GenerationBatch) -> None:
    """Give back what is not finished: to the queue, or to nobody if its request was cancelled."""
    request = GenerationRequest.objects.get(pk=batch.request_id)
    if request.status == GenerationRequest.Status.CANCELLED:
        cancel_batch(batch=batch)
        return
    released = held(batch).update(
        status=Batch.QUEUED, lease_expires_at=None, attempts=F("attempts") - 1
    )
    if released and request.status == GenerationRequest.Status.ACTIVE:
        transaction.on_commit(lambda: wake_or_wait(send_wakes, 1))


def cancel_batch(*, batch: GenerationBatch) -> None:
    """End a batch whose request was cancelled; its samples stay planned."""
    held(batch).update(status=Batch.CANCELLED, lease_expires_at=None)


def fail_batch(*, batch: GenerationBatch, error: BaseException, now: datetime) -> None:
    """Mark a batch failed with the reason a person will read: the end of the traceback.

    Where the error says that every image of the checkpoint fails alike (`fails_its_like`, as
    `models_backend.errors` has it), the request's other batches of it fail with it, so that no
    worker loads and draws it for nothing. Batches of other checkpoints go on.
    """
    failed = failure(error, now)
    if held(batch).update(**failed) and getattr(error, "fails_its_like", False):
        GenerationBatch.objects.filter(
            request=batch.request_id, checkpoint=batch.checkpoint_id, status=Batch.QUEUED
        ).update(**failed)


def wake_myself(*, memory_bytes: int | None, now: datetime) -> bool:
    """Send a message where something waits that an idle worker could take; return whether.

    Covers what no message speaks of any more: a killed worker's batch whose lease ran out, a
    message the broker lost, a worker started after the work was asked for.
    """
    fits = {} if memory_bytes is None else _that_fits(memory_bytes)
    waits: bool = GenerationBatch.objects.claimable(now).filter(**fits).exists()
    if waits:
        wake_or_wait(send_wakes, 1)
    return waits
