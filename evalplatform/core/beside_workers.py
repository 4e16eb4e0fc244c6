"""A thread beside each Celery worker that takes the default queue."""

import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_ready, worker_shutdown


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
