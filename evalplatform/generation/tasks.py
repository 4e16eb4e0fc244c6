"""The Celery tasks that make samples: the only Django file that calls `models_backend`.

Torch is imported inside the task body, so a web process that only sends tasks never loads it.
"""

import functools
import logging
from pathlib import Path
from typing import Any

from celery import shared_task
from django.utils import timezone

from evalplatform.generation import services
from evalplatform.generation.heartbeat import worker_name
from evalplatform.generation.models import GenerationBatch, Sample

logger = logging.getLogger(__name__)

# Images per call of the sampler; after each, finished samples are stored.
IMAGES_PER_STEP = 8
# Pipelines kept warm in this process, least recently used dropped first.
WARM_PIPELINES = 2


@shared_task(name=services.TASK)
def generate_batch(batch_id: int) -> int:
    """Make the samples of a batch that are still planned; return how many were made."""
    batch = services.claim_batch(batch_id=batch_id, worker=worker_name(), now=timezone.now())
    if batch is None:
        logger.info("batch %s is done or another worker has it", batch_id)
        return 0
    try:
        made = _make_samples(batch)
    except Exception as error:
        # Whatever went wrong is stored for a person to read; the row ends the job, not the message.
        services.fail_batch(batch=batch, error=error, now=timezone.now())
        raise
    services.finish_batch(batch=batch, now=timezone.now())
    return made


def _make_samples(batch: GenerationBatch) -> int:
    from models_backend.sample import SamplerSettings, generate

    pipeline = _warm_pipeline(batch.checkpoint.directory)
    settings = SamplerSettings(**batch.settings.as_dict())
    planned = list(
        batch.samples.filter(status=Sample.Status.PLANNED).select_related("prompt").order_by("pk")
    )
    for start in range(0, len(planned), IMAGES_PER_STEP):
        part = planned[start : start + IMAGES_PER_STEP]
        images = generate(
            pipeline,
            prompts=[sample.prompt.text for sample in part],
            seeds=[sample.seed for sample in part],
            settings=settings,
        )
        for sample, image in zip(part, images, strict=True):
            services.record_sample(sample=sample, image=image, now=timezone.now())
    return len(planned)


@functools.lru_cache(maxsize=WARM_PIPELINES)
def _warm_pipeline(directory: Path) -> Any:
    from models_backend.sample import load_pipeline

    return load_pipeline(directory)
