"""A scoring job's way through a worker's hands; its lease is as a generation batch's."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F

from evalplatform.core.leased_jobs import JobStatus, failure, held, take_job
from evalplatform.core.waking import wake_or_wait
from evalplatform.curation.models import ScoringRequest, ScoringShard
from evalplatform.curation.services.scoring import send_scoring_wakes


def claim_shard(*, worker: str, now: datetime) -> ScoringShard | None:
    """Take the next job, of the request that was asked first; None where there is none."""
    with transaction.atomic():
        while True:
            shard = (
                ScoringShard.objects.claimable(now)
                .order_by("request__created_at", "request_id", "number")
                .select_for_update(of=["self"], skip_locked=True)
                .select_related("request__collection")
                .first()
            )
            if shard is None or take_job(job=shard, worker=worker, now=now):
                return shard


def note_shard(*, shard: ScoringShard, looked: int, unreadable: int) -> bool:
    """Store how far it has come; return whether the worker shall go on with it."""
    with transaction.atomic():
        return bool(
            held(shard)
            .filter(pk__in=ScoringShard.objects.allowed())
            .update(looked=looked, unreadable=unreadable)
        )


def add_shards(
    *, listing: ScoringShard, shards: Sequence[tuple[str, int, int | None]], now: datetime
) -> None:
    """Finish a listing: store the jobs (file, start, stop) that it found, unless it lost its lease.

    A listing that two workers did stores its jobs once.
    """
    with transaction.atomic():
        # Who cancels comes before, and this does nothing, or after it and drops these jobs as well.
        ScoringRequest.objects.select_for_update().get(pk=listing.request_id)
        if not finish_shard(shard=listing, now=now):
            return
        ScoringShard.objects.bulk_create(
            (
                ScoringShard(request=listing.request, number=n, file=file, start=start, stop=stop)
                for n, (file, start, stop) in enumerate(shards, start=1)
            ),
            batch_size=2000,
        )
        transaction.on_commit(lambda: wake_or_wait(send_scoring_wakes, min(len(shards), 8)))


def finish_shard(*, shard: ScoringShard, now: datetime) -> bool:
    """Mark a job done; False where its lease was lost to another worker meanwhile."""
    return bool(
        held(shard).update(status=JobStatus.DONE, lease_expires_at=None, finished_at=now, error="")
    )


def release_shard(*, shard: ScoringShard) -> None:
    """Give back what is not finished: to the queue, or to nobody if its request was cancelled."""
    status = ScoringRequest.objects.values_list("status", flat=True).get(pk=shard.request_id)
    if status == ScoringRequest.Status.CANCELLED:
        held(shard).update(status=JobStatus.CANCELLED, lease_expires_at=None)
        return
    released = held(shard).update(
        status=JobStatus.QUEUED, lease_expires_at=None, attempts=F("attempts") - 1
    )
    if released and status == ScoringRequest.Status.ACTIVE:
        transaction.on_commit(lambda: wake_or_wait(send_scoring_wakes, 1))


def fail_shard(*, shard: ScoringShard, error: BaseException, now: datetime) -> None:
    """Mark a job failed, with the reason a person will read."""
    held(shard).update(**failure(error, now))


def wake_for_scoring(*, now: datetime) -> bool:
    """Send a message where a job waits that an idle worker could take; return whether.

    Covers a killed worker's job whose lease ran out, and a message that the broker lost.
    """
    waits: bool = ScoringShard.objects.claimable(now).exists()
    if waits:
        wake_or_wait(send_scoring_wakes, 1)
    return waits
