"""The Celery task that makes samples: the only Django file that calls `models_backend`.

Torch is imported inside the task body, so a web process that only sends messages never loads it.
"""

import functools
import logging
import time
import traceback
from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from evalplatform.core.waking import wake_or_wait
from evalplatform.generation import services
from evalplatform.generation.heartbeat import before_shutdown
from evalplatform.generation.models import GenerationBatch, Sample
from evalplatform.generation.services.waking import TASK, send_wakes
from evalplatform.generation.worker_state import STATE, worker_name
from evalplatform.generation.writing import BatchRun, SampleWriter

logger = logging.getLogger(__name__)

_TURN_SECONDS = 60
# How often it is asked whether the batch in hand is still wanted.
_ASK_SECONDS = 1.0


@shared_task(name=TASK)
def generate() -> int:
    """Make samples, batch after batch, until nothing waits; return how many batches.

    After a minute the turn ends, and another message continues it: a worker's other tasks are
    not kept waiting by a long queue.
    """
    turn_ends = time.monotonic() + _TURN_SECONDS
    batches = 0
    STATE.is_busy = True
    try:
        sampler = _sampler()
        while not STATE.stopping.is_set():
            if time.monotonic() > turn_ends:
                wake_or_wait(send_wakes, 1)
                break
            close_old_connections()  # a turn may outlive the database it began with
            batch = services.claim_next(
                worker=worker_name(),
                now=timezone.now(),
                loaded=STATE.loaded,
                memory_bytes=sampler.device_bytes,
            )
            if batch is None:
                break
            _work_on(batch, sampler)
            batches += 1
    finally:
        STATE.is_busy = False
    return batches


def _work_on(batch: GenerationBatch, sampler: Any) -> None:
    """Make what is still planned of a batch; its last images are stored after this returns."""
    STATE.hold(batch)
    run = BatchRun(batch)
    try:
        whole = _make_samples(run, sampler)
    except (OperationalError, InterfaceError) as error:
        # Nothing is wrong with the batch: its lease runs out, and somebody takes it up.
        logger.warning("%s is left: the database went away", batch, exc_info=True)
        run.error = error
        _writer().end(run, _release)
    except Exception as error:
        # Stored for a person to read, after the parts before it; the worker goes on.
        logger.exception("%s failed", batch)
        traceback.clear_frames(error.__traceback__)  # they hold what was being computed
        _writer().end(run, functools.partial(_fail, error))
    else:
        finish = functools.partial(_finish, sampler.environment)
        _writer().end(run, finish if whole else _release)


def _make_samples(run: BatchRun, sampler: Any) -> bool:
    """Hand part after part to the writer; return False where the batch is not to be finished."""
    from models_backend.families.settings import SamplingSettings

    batch = run.batch
    planned = list(
        batch.samples.filter(status=Sample.Status.PLANNED).select_related("prompt").order_by("pk")
    )
    if not planned:
        return True
    _checkpoints[batch.checkpoint.directory] = batch.checkpoint_id
    parts = sampler.parts(
        batch.checkpoint.directory,
        prompts=[sample.prompt.text for sample in planned],
        seeds=[sample.seed for sample in planned],
        settings=SamplingSettings(**batch.settings.as_dict()),
        expected_bytes=batch.checkpoint.loaded_bytes,
    )
    begun = asked = time.monotonic()
    for part in parts:
        now = time.monotonic()
        samples = planned[part.start : part.start + part.count]
        _writer().write(run, samples, part, seconds=now - begun)
        _note_loaded(sampler)
        begun = now
        if run.error or STATE.stopping.is_set():
            return part.start + part.count == len(planned)
        if now - asked > _ASK_SECONDS:
            asked = now
            if not services.may_go_on(batch=batch):
                return False
    return True


def _finish(environment: dict[str, str], run: BatchRun) -> None:
    services.finish_batch(
        batch=run.batch, now=timezone.now(), stages=run.stages, environment=environment
    )


def _release(run: BatchRun) -> None:
    services.release_batch(batch=run.batch)


def _fail(error: Exception, run: BatchRun) -> None:
    services.fail_batch(batch=run.batch, error=error, now=timezone.now())


@functools.cache
def _sampler() -> Any:
    """What this process samples with, made at its first task."""
    from models_backend.sampling.image_sampler import ImageSampler

    sampler = ImageSampler(
        memory_bytes=settings.GENERATION_MEMORY_BYTES,
        images_per_step=settings.GENERATION_IMAGES_PER_STEP,
    )
    STATE.device, STATE.device_bytes = sampler.device_name, sampler.device_bytes
    STATE.memory_bytes = sampler.pipelines.capacity_bytes
    return sampler


@functools.cache
def _writer() -> SampleWriter:
    return SampleWriter()


@before_shutdown
def _store_what_is_pending() -> None:
    if _writer.cache_info().currsize:
        _writer().close()
        _writer.cache_clear()


_checkpoints: dict[Path, int] = {}


def _note_loaded(sampler: Any) -> None:
    """Tell the heartbeat which checkpoints are loaded."""
    STATE.loaded = [_checkpoints[each] for each in sampler.pipelines.directories]
    STATE.loaded_bytes = sampler.pipelines.used_bytes
