"""A worker's sign of life: a row refreshed by a thread, on every broker alike."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery.app.amqp import Queues
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.db import connections
from django.utils import timezone

from evalplatform.core.database_faults import warn_of
from evalplatform.core.leased_jobs import extend_leases
from evalplatform.generation.models import WorkerHeartbeat
from evalplatform.generation.selectors import HEARTBEAT_SECONDS
from evalplatform.generation.services import wake_myself
from evalplatform.generation.services.waking import QUEUE
from evalplatform.generation.worker_state import STATE, worker_name

logger = logging.getLogger(__name__)
_stop = threading.Event()
_threads: list[threading.Thread] = []
_last_work: list[Callable[[], None]] = []
_each_beat: list[Callable[[datetime], None]] = []


def before_shutdown(finish: Callable[[], None]) -> Callable[[], None]:
    """Decorator: call this at the end, while the process still keeps its leases."""
    _last_work.append(finish)
    return finish


def at_each_beat(do: Callable[[datetime], None]) -> Callable[[datetime], None]:
    """Decorator: call this at every beat, such as to renew the leases of other kinds of jobs."""
    _each_beat.append(do)
    return do


def makes_samples(queues: Queues) -> bool:
    """Whether a worker takes messages from the generation queue, whatever its prefix."""
    return queues[QUEUE].name in queues.consume_from


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    """Begin to report, unless this worker takes other work than samples."""
    if not makes_samples(sender.app.amqp.queues):
        return
    _stop.clear()
    STATE.stopping.clear()
    thread = threading.Thread(target=_beat_until_stopped, name="heartbeat", daemon=True)
    _threads.append(thread)
    thread.start()


@worker_shutting_down.connect
def _begin_to_end(**_: Any) -> None:
    """The signal to stop came: a task in hand ends after the images it is making."""
    STATE.stopping.set()


@worker_shutdown.connect
def _end(**_: Any) -> None:
    for finish in _last_work:
        finish()
    _stop.set()
    while _threads:
        _threads.pop().join(HEARTBEAT_SECONDS)
    WorkerHeartbeat.objects.filter(name=worker_name()).delete()


def _beat_until_stopped() -> None:
    started_at = timezone.now()
    while not _stop.is_set():
        try:
            _beat(started_at, timezone.now())
        except Exception as error:
            # Database or broker may be away in many ways: the next beat tries again on a fresh
            # connection, and this thread must not end before its process does.
            warn_of(logger, "heartbeat not stored", error)
        finally:
            connections.close_all()
        _stop.wait(seconds_between_beats())


def seconds_between_beats() -> float:
    """Three beats to a lease at least, so that one that comes late loses nothing."""
    return min(HEARTBEAT_SECONDS, settings.GENERATION_LEASE_SECONDS / 3)


def _beat(started_at: datetime, now: datetime) -> None:
    held = STATE.held
    extend_leases(jobs=held, now=now)
    WorkerHeartbeat.objects.update_or_create(
        name=worker_name(),
        defaults={
            "pid": os.getpid(),
            "device": STATE.device,
            "device_bytes": STATE.device_bytes,
            "memory_bytes": STATE.memory_bytes,
            "loaded": STATE.loaded,
            "loaded_bytes": STATE.loaded_bytes,
            "batch": held[-1] if held else None,
            "images_made": STATE.images_made,
            "images_per_second": STATE.images_per_second(),
            "started_at": started_at,
            "seen_at": now,
        },
    )
    if not STATE.is_busy and not STATE.stopping.is_set():
        wake_myself(memory_bytes=STATE.device_bytes or None, now=now)
    for do in _each_beat:
        do(now)
