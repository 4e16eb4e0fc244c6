"""Jobs that are rows, each in the hands of one worker for as long as its lease is renewed.

A message only wakes a worker; the row is the job. Every step is a conditional update of the row, so
whoever lost a lease can no longer change anything.
"""

import traceback
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import models


class JobStatus(models.TextChoices):
    """Where a job is."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class LeasedJob(models.Model):
    """What every such row has."""

    Status = JobStatus

    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    worker = models.CharField(max_length=120, blank=True, help_text="Who has it, or had it last.")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="Why it failed, as a person reads it.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


def lease_until(now: datetime) -> datetime:
    """Return when a lease that is given or renewed now runs out."""
    return now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS)


def take_job(*, job: LeasedJob, worker: str, now: datetime) -> bool:
    """Give a locked row to a worker; False where it took too many workers down and is failed."""
    if job.attempts >= settings.GENERATION_MAX_ATTEMPTS:
        _give_up(job, now)
        return False
    job.status = JobStatus.RUNNING
    job.worker = worker
    job.attempts += 1
    job.lease_expires_at = lease_until(now)
    job.save(update_fields=["status", "worker", "attempts", "lease_expires_at"])
    return True


def _give_up(job: LeasedJob, now: datetime) -> None:
    """End a job that takes every worker down with it, instead of trying for ever."""
    job.status = JobStatus.FAILED
    job.finished_at = now
    job.lease_expires_at = None
    job.error = (
        f"{job.attempts} workers died while they had it, the last was {job.worker}; look at "
        "that machine's log (out of memory?), then retry."
    )
    job.save(update_fields=["status", "finished_at", "lease_expires_at", "error"])


Job = TypeVar("Job", bound=LeasedJob)


def held(job: Job) -> models.QuerySet[Job]:
    """Return the row, if the worker it was given to still has it; else none."""
    rows: models.QuerySet[Job] = type(job)._default_manager.filter(
        pk=job.pk, worker=job.worker, attempts=job.attempts, status=JobStatus.RUNNING
    )
    return rows


def extend_leases(*, jobs: Iterable[LeasedJob], now: datetime) -> None:
    """Keep what a worker holds: called by its heartbeat as long as the process lives."""
    for job in jobs:
        held(job).update(lease_expires_at=lease_until(now))


def failure(error: BaseException, now: datetime) -> dict[str, Any]:
    """Return the fields of a job that failed, with the end of the traceback as its reason."""
    reason = " ".join(traceback.format_exception_only(error)[-1].split())
    reason = reason.removeprefix(f"{type(error).__module__}.")
    return {
        "status": JobStatus.FAILED, "lease_expires_at": None, "finished_at": now,
        "error": reason[:2000],
    }  # fmt: skip
