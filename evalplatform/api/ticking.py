"""Workers find jobs that nobody does also while nobody reads: killed ones, and lost messages.

A thread in each worker that takes the default queue looks now and then, also while the worker
itself does a job.
"""

import logging
import threading

from django.db import connections
from django.utils import timezone

from evalplatform.api.jobs import wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.core.beside_workers import run_beside_workers

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 30.0
_PATIENCE = 5.0  # seconds that a worker that ends waits for a look
_stop = threading.Event()


def tick() -> None:
    """One look at all jobs that have not ended."""
    wake_stalled_jobs(Job.objects.filter(finished_at=None), now=timezone.now())


def _tick_until_stopped() -> None:
    while not _stop.is_set():
        try:
            tick()
        except Exception:
            # The database may be away in many ways: the next look tries again on a fresh one.
            logger.warning("jobs could not be looked after", exc_info=True)
        finally:
            connections.close_all()
        _stop.wait(SECONDS_BETWEEN)


run_beside_workers("jobs", _tick_until_stopped, stop=_stop, patience=_PATIENCE)
