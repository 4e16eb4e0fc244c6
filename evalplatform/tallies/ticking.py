"""Workers count what voters noted also while nobody reads: no page finds more than seconds of it.

A thread in each worker that takes the default queue looks now and then. Without any worker, the
first who looks has all counted that came since the last look.
"""

import logging
import threading

from django.db import connections

from evalplatform.core.beside_workers import run_beside_workers
from evalplatform.core.database_faults import warn_of
from evalplatform.tallies.folding import fold_all

logger = logging.getLogger(__name__)
SECONDS_BETWEEN = 5.0
_stop = threading.Event()


def _tick_until_stopped() -> None:
    failing: set[int] = set()
    while not _stop.is_set():
        try:
            fold_all(failing)
        except Exception as error:
            # The database may be away in many ways: the next look tries again on a fresh one.
            warn_of(logger, "votes could not be counted", error)
            connections.close_all()
        _stop.wait(SECONDS_BETWEEN)
    connections.close_all()


run_beside_workers("tallies", _tick_until_stopped, stop=_stop, patience=SECONDS_BETWEEN)
