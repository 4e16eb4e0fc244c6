"""Workers open what is asked as soon as it is, and end what is over.

A thread in each worker that takes the default queue listens to the database, and looks every second
besides: also while the worker itself makes images, and where something between it and the database
passes no notifications on. Without any worker, whoever reads a batch ends it in time, too.
"""

import logging
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connection, connections
from django.utils import timezone

from evalplatform.flows.services import asking, forget_unasked, open_waiting, settle_due

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 1.0
_TIDY_EVERY = 3600  # looks
_stop = threading.Event()
_threads: list[threading.Thread] = []


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    queues = sender.app.amqp.queues
    if queues["default"].name not in queues.consume_from:
        return
    _stop.clear()
    thread = threading.Thread(target=_tick_until_stopped, name="flows", daemon=True)
    _threads.append(thread)
    thread.start()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    _stop.set()
    while _threads:
        _threads.pop().join(SECONDS_BETWEEN)


def tick(number: int) -> None:
    """One look; `number` counts them."""
    settle_due(now=timezone.now())
    open_waiting(now=timezone.now)
    if number % _TIDY_EVERY == 0:
        forget_unasked(now=timezone.now())


def _tick_until_stopped() -> None:
    number = 0
    while not _stop.is_set():
        try:
            # First, so that what is asked from here on is heard.
            connection.ensure_connection()
            connection.connection.execute(f"LISTEN {asking.CHANNEL}")
            tick(number)
            number += 1
            _await_news()
        except Exception:
            # The database may be away in many ways: the next look tries again on a fresh one.
            logger.warning("flows could not be looked after", exc_info=True)
            connections.close_all()
            _stop.wait(SECONDS_BETWEEN)
    connections.close_all()


def _await_news() -> None:
    """Wait until something is asked; for a second at most."""
    for _ in connection.connection.notifies(timeout=SECONDS_BETWEEN, stop_after=1):
        pass
