"""Workers find jobs that nobody does also while nobody reads: killed ones, and lost messages.

A thread in each worker that takes the default queue looks now and then, also while the worker
itself does a job.
"""

from django.utils import timezone

from evalplatform.api.jobs import wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.core.beside_workers import look_beside_workers

SECONDS_BETWEEN = 30.0
_PATIENCE = 5.0  # seconds that a worker that ends waits for a look


def tick() -> None:
    """One look at all jobs that have not ended."""
    wake_stalled_jobs(Job.objects.filter(finished_at=None), now=timezone.now())


look_beside_workers(
    "jobs",
    tick,
    seconds=SECONDS_BETWEEN,
    failed="jobs could not be looked after",
    patience=_PATIENCE,
)
