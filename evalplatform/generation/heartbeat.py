"""A worker's sign of life: a row refreshed by a thread, on every broker alike."""

import logging
import os
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import DatabaseError, connections
from django.utils import timezone

from evalplatform.generation.models import WorkerHeartbeat
from evalplatform.generation.selectors import HEARTBEAT_SECONDS
from evalplatform.generation.services import extend_leases

logger = logging.getLogger(__name__)
_stop = threading.Event()


def worker_name() -> str:
    """Return this process's name: host and process id tell any two workers apart."""
    return f"{os.uname().nodename}:{os.getpid()}"


@worker_ready.connect
def _start(**_: Any) -> None:
    _stop.clear()
    threading.Thread(target=_beat_until_stopped, name="heartbeat", daemon=True).start()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    _stop.set()
    WorkerHeartbeat.objects.filter(name=worker_name()).delete()


def _beat_until_stopped() -> None:
    started_at = timezone.now()
    while not _stop.is_set():
        try:
            now = timezone.now()
            WorkerHeartbeat.objects.update_or_create(
                name=worker_name(),
                defaults={"pid": os.getpid(), "started_at": started_at, "seen_at": now},
            )
            extend_leases(worker=worker_name(), now=now)
        except DatabaseError:
            # The database may restart: the next beat tries again on a fresh connection.
            logger.warning("heartbeat not stored", exc_info=True)
        finally:
            connections.close_all()
        _stop.wait(HEARTBEAT_SECONDS)
