"""What pages show of jobs that were asked for and wait for samples: the last one about each."""

from dataclasses import dataclass

from django.db.models import QuerySet

from evalplatform.api.jobs import wake_soon
from evalplatform.api.models import Job
from evalplatform.generation.awaiting import AwaitedSamples

_SHOWN = 20  # the latest first
_UNDER_WAY = (Job.Status.QUEUED, Job.Status.RUNNING)


@dataclass(frozen=True)
class AskedJob:
    """A thing that was asked for: the last job about it, and where it stands.

    Attributes:
        progress: how far its images are while no worker makes it.
        fault: why it cannot go on, in words; "" where it can.
    """

    name: str
    job: Job
    progress: AwaitedSamples | None = None
    fault: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether a worker has it, or is to take it."""
        return self.job.status in _UNDER_WAY and self.progress is None

    @property
    def waits(self) -> bool:
        """Whether it goes on by itself once its images are there."""
        is_queued = self.job.status == Job.Status.QUEUED
        return is_queued and self.progress is not None and not self.progress.fault

    @property
    def moves(self) -> bool:
        """Whether it is worth looking again soon."""
        comes = self.progress is not None and not self.progress.is_ready
        return self.job.status in _UNDER_WAY or comes


def last_jobs(jobs: QuerySet[Job], about: str) -> list[Job]:
    """Return the last job about each thing that is asked for as `about`, the latest first."""
    last: dict[str, Job] = {}
    for job in jobs.order_by("-pk")[: 10 * _SHOWN]:
        last.setdefault(job.asked[about], job)
    return list(last.values())[:_SHOWN]


def was_looked_at(job: Job) -> bool:
    """Whether a job waits for samples: a worker has looked, and has put it back."""
    return job.status == Job.Status.QUEUED and bool(job.note)


def is_left_to_workers(job: Job) -> bool:
    """Whether a job is under way, and nobody has looked for its samples yet."""
    return job.status in _UNDER_WAY and not was_looked_at(job)


def wake_where_due(job: Job, progress: AwaitedSamples) -> None:
    """Have a job that waits looked at again where it waits for nothing, or in vain."""
    if was_looked_at(job) and (progress.is_ready or progress.fault):
        wake_soon(job=job)
