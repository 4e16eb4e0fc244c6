"""Workers send what is due: a thread in each that takes the default queue looks now and then."""

import logging
import threading

from django.db import connections
from django.utils import timezone

from evalplatform.core.beside_workers import run_beside_workers
from evalplatform.webhooks.services import deliver_due, forget_old, tell_completed

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 5.0
_stop = threading.Event()


def tick() -> None:
    """Queue what came to be by itself, and send what is due."""
    now = timezone.now()
    tell_completed()
    deliver_due(now=now)
    forget_old(now=now)


def _tick_until_stopped() -> None:
    while not _stop.is_set():
        try:
            tick()
        except Exception:
            # The database may be away in many ways: the next look tries again on a fresh one.
            logger.warning("webhooks could not be sent", exc_info=True)
        finally:
            connections.close_all()
        _stop.wait(SECONDS_BETWEEN)


run_beside_workers("webhooks", _tick_until_stopped, stop=_stop, patience=SECONDS_BETWEEN)
