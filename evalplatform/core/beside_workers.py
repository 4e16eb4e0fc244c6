"""A thread beside each Celery worker that takes the default queue."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import connections

from evalplatform.core.database_faults import warn_of

logger = logging.getLogger(__name__)


def run_beside_workers(
    name: str, run: Callable[[], None], *, stop: threading.Event, patience: float
) -> None:
    """From now on run a function beside each such worker, until `stop` is set as the worker ends.

    A worker that ends waits so many seconds for it.
    """
    threads: list[threading.Thread] = []

    def start(sender: Any, **_: Any) -> None:
        queues = sender.app.amqp.queues
        if queues["default"].name not in queues.consume_from:
            return
        stop.clear()
        thread = threading.Thread(target=run, name=name, daemon=True)
        threads.append(thread)
        thread.start()

    def end(**_: Any) -> None:
        stop.set()
        while threads:
            threads.pop().join(patience)

    worker_ready.connect(start, weak=False)
    worker_shutdown.connect(end, weak=False)


def look_beside_workers(
    name: str, look: Callable[[], None], *, seconds: float, failed: str, patience: float
) -> None:
    """From now on look after something beside each such worker, with so many seconds between.

    A look that fails is logged as `failed`, and the next one is made all the same.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                look()
            except Exception as error:
                # The database may be away in many ways: the next look tries again on a fresh one.
                warn_of(logger, failed, error)
            finally:
                connections.close_all()
            stop.wait(seconds)

    run_beside_workers(name, run, stop=stop, patience=patience)
