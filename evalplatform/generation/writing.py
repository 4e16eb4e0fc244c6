"""Storing one part's images while the next is being denoised."""

import logging
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from PIL.Image import Image

from evalplatform.generation import services
from evalplatform.generation.models import GenerationBatch, Sample
from evalplatform.generation.worker_state import STATE

logger = logging.getLogger(__name__)

# Parts that may wait to be stored: more would only hold memory.
_WAITING = 2


class WaitingImages(Protocol):
    """Images that wait to be decoded, the seconds each stage took, and how prompts were read."""

    seconds: dict[str, float]

    @property
    def readings(self) -> Sequence[services.PromptReading | None]: ...

    def decode(self) -> list[Image]: ...

    def discard(self) -> None: ...


@dataclass
class BatchRun:
    """One attempt at a batch in this process."""

    batch: GenerationBatch
    stages: dict[str, float] = field(default_factory=dict)
    error: BaseException | None = None


class SampleWriter:
    """A thread that decodes, encodes, stores and records, in the order it was given the parts."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "store")
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def write(
        self, run: BatchRun, samples: Sequence[Sample], part: WaitingImages, seconds: float
    ) -> None:
        """Take over a part that cost the worker `seconds`; waits while too many are pending."""
        self._queue.put(lambda: self._write(run, samples, part, seconds))

    def end(self, run: BatchRun, how: Callable[[BatchRun], None]) -> None:
        """Call `how` once every part of `run` is stored."""
        self._queue.put(lambda: self._end(run, how))

    def close(self) -> None:
        """Store what is pending, then end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._pool.shutdown()

    def _work(self) -> None:
        while (step := self._queue.get()) is not None:
            close_old_connections()
            try:
                step()
            except Exception as error:
                logger.exception("a part was not stored")
                # Its frames hold what was being decoded, until the next part comes.
                traceback.clear_frames(error.__traceback__)
            del step
        close_old_connections()

    def _write(
        self, run: BatchRun, samples: Sequence[Sample], part: WaitingImages, seconds: float
    ) -> None:
        if run.error:
            part.discard()
            return
        try:
            images = part.decode()
            decoded = time.perf_counter()
            services.record_samples(
                samples=samples, images=images, readings=part.readings, now=timezone.now(),
                pool=self._pool, batch=run.batch, seconds=seconds,
            )  # fmt: skip
            spent = {"store": time.perf_counter() - decoded}
            for stage, took in (part.seconds | spent).items():
                run.stages[stage] = run.stages.get(stage, 0.0) + took
            STATE.count(len(images), seconds)
        except BaseException as error:
            run.error = error
            raise

    def _end(self, run: BatchRun, how: Callable[[BatchRun], None]) -> None:
        """Unless the database went away: then the lease runs out and somebody takes the batch."""
        STATE.let_go(run.batch)
        if isinstance(run.error, OperationalError | InterfaceError):
            return
        if run.error:
            services.fail_batch(batch=run.batch, error=run.error, now=timezone.now())
        else:
            how(run)
