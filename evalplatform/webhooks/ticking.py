"""Workers send what is due: a thread in each that takes the default queue looks now and then."""

import logging
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connections
from django.utils import timezone

from evalplatform.webhooks.services import deliver_due, forget_old, tell_completed

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 5.0
_stop = threading.Event()
_threads: list[threading.Thread] = []


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    queues = sender.app.amqp.queues
    if queues["default"].name not in queues.consume_from:
        return
    _stop.clear()
    thread = threading.Thread(target=_tick_until_stopped, name="webhooks", daemon=True)
    _threads.append(thread)
    thread.start()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    _stop.set()
    while _threads:
        _threads.pop().join(SECONDS_BETWEEN)


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
