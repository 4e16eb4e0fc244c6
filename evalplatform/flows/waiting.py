"""Waiting for news of a batch, so that a trainer learns of a vote at once.

A request that waits holds a thread of the web server, and annotators need those: one waits in each
process, and every further one is answered at once with what is there (`MOST_WAITING`).
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from evalplatform.flows.models import FlowBatch
from evalplatform.flows.selectors import version_of
from evalplatform.flows.services import settle

LONGEST_WAIT = 25.0  # seconds: below what proxies in between allow a request
MOST_WAITING = 1  # requests a process
_LOOK = 0.1  # seconds between looks, each of two small reads
_room = threading.BoundedSemaphore(MOST_WAITING)


def await_news(
    *, batch: FlowBatch, seen: str, seconds: float, now: Callable[[], datetime]
) -> FlowBatch:
    """Return the batch once its version is not `seen`, it has ended, or the time is over.

    At once where `seen` is empty, or other requests wait in this process already. The batch is as
    fresh as the last look.
    """
    settle(batch=batch, now=now())
    if not seen or seconds <= 0 or not _room.acquire(blocking=False):
        return batch
    try:
        ends = time.monotonic() + min(seconds, LONGEST_WAIT)
        while version_of(batch) == seen and batch.status not in FlowBatch.ENDED:
            if time.monotonic() >= ends:
                break
            time.sleep(_LOOK)
            batch = FlowBatch.objects.select_related("flow", "campaign").get(pk=batch.pk)
            settle(batch=batch, now=now())
    finally:
        _room.release()
    return batch
