"""What this worker process is doing: written by its task, read by its heartbeat."""

import os
import threading
import time
from collections import deque

from evalplatform.generation.models import GenerationBatch

_RATE_SECONDS = 300.0  # the rate shown is over so much of the past


def worker_name() -> str:
    """Return this process's name: host and process id tell any two workers apart."""
    return f"{os.uname().nodename}:{os.getpid()}"


class WorkerState:
    """One process's device, warm checkpoints, batches in hand and images made; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, GenerationBatch] = {}
        self._recent: deque[tuple[float, int, float]] = deque()
        self.device = ""
        self.device_bytes = 0
        self.memory_bytes = 0
        self.loaded: list[int] = []
        self.loaded_bytes = 0
        self.images_made = 0
        self.is_busy = False
        self.stopping = threading.Event()

    def hold(self, batch: GenerationBatch) -> None:
        with self._lock:
            self._held[batch.pk] = batch

    def let_go(self, batch: GenerationBatch) -> None:
        with self._lock:
            self._held.pop(batch.pk, None)

    @property
    def held(self) -> list[GenerationBatch]:
        """Batches whose lease this process keeps, in the order they were taken."""
        with self._lock:
            return list(self._held.values())

    def count(self, images: int, seconds: float) -> None:
        """Note images made in so many seconds of work."""
        with self._lock:
            self.images_made += images
            self._recent.append((time.monotonic(), images, seconds))

    def images_per_second(self) -> float | None:
        """Return the rate while it worked, over the last minutes; None where it made nothing."""
        with self._lock:
            while self._recent and self._recent[0][0] < time.monotonic() - _RATE_SECONDS:
                self._recent.popleft()
            seconds = sum(each[2] for each in self._recent)
            return sum(each[1] for each in self._recent) / seconds if seconds else None


STATE = WorkerState()
