"""Workers open what is asked as soon as it is, and end what is over.

A thread in each worker that takes the default queue listens to the database, and looks every second
besides: also while the worker itself makes images, and where something between it and the database
passes no notifications on. Without any worker, whoever reads a batch ends it in time, too.
"""

import logging
import threading

from django.db import connection, connections
from django.utils import timezone

from evalplatform.core.beside_workers import run_beside_workers
from evalplatform.core.database_faults import warn_of
from evalplatform.flows.services import asking, forget_unasked, open_waiting, settle_due

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 1.0
_TIDY_EVERY = 3600  # looks
_stop = threading.Event()


def tick(number: int) -> None:
    """One look; `number` counts them."""
    try:
        settle_due(now=timezone.now())
    finally:  # also where some batch cannot be ended
        open_waiting(now=timezone.now)
    if number % _TIDY_EVERY == 0:
        forget_unasked(now=timezone.now())


def _tick_until_stopped() -> None:
    number = 0
    while not _stop.is_set():
        try:
            # First, so that what is asked from here on is heard.
            connection.ensure_connection()
            with connection.wrap_database_errors:
                connection.connection.execute(f"LISTEN {asking.CHANNEL}")
            tick(number)
            number += 1
            _await_news()
        except Exception as error:
            # The database may be away in many ways: the next look tries again on a fresh one.
            warn_of(logger, "flows could not be looked after", error)
            connections.close_all()
            _stop.wait(SECONDS_BETWEEN)
    connections.close_all()


def _await_news() -> None:
    """Wait until something is asked; for a second at most."""
    with connection.wrap_database_errors:
        for _ in connection.connection.notifies(timeout=SECONDS_BETWEEN, stop_after=1):
            pass


run_beside_workers("flows", _tick_until_stopped, stop=_stop, patience=SECONDS_BETWEEN)
