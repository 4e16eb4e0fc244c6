"""Storing images and filling in their rows."""

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from typing import Protocol

from django.db import transaction
from django.db.models import F
from PIL import Image

from evalplatform.core.stored_images import store_image
from evalplatform.core.version import code_version
from evalplatform.generation.models import GenerationBatch, GenerationRequest, Sample
from evalplatform.generation.statements import MadeSample, fill_in


class PromptReading(Protocol):
    """How many tokens a prompt has, and how many of them the text encoder took."""

    @property
    def tokens(self) -> int: ...

    @property
    def read(self) -> int: ...


def record_samples(
    *,
    samples: Sequence[Sample],
    images: Sequence[Image.Image],
    now: datetime,
    readings: Sequence[PromptReading | None] | None = None,
    batch: GenerationBatch | None = None,
    seconds: float = 0.0,
    pool: Executor | None = None,
) -> None:
    """Store every image, then fill in the rows: a kill between the two leaves the rows planned.

    `readings` say how much of each prompt was read; None, or none at all: that is not known.
    `seconds` of worker time are charged to `batch` and its request's budget. `pool` encodes and
    sends several images at once.
    """
    store = partial(store_image, folder="samples")
    stored = pool.map(store, images) if pool else map(store, images)
    known = readings or [None] * len(samples)
    made = [
        MadeSample(
            id=sample.pk,
            image=image.name,
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            pixels_sha256=image.pixels_sha256,
            is_constant=image.is_constant,
            prompt_tokens=reading.tokens if reading else None,
            tokens_read=reading.read if reading else None,
        )
        for sample, image, reading in zip(samples, stored, known, strict=True)
    ]
    with transaction.atomic():
        fill_in(made, code_version=code_version(), now=now)
        if batch:
            _charge(batch, len(made), seconds)


def _charge(batch: GenerationBatch, images: int, seconds: float) -> None:
    GenerationBatch.objects.filter(pk=batch.pk).update(
        images_made=F("images_made") + images, seconds=F("seconds") + seconds
    )
    GenerationRequest.objects.filter(pk=batch.request_id).update(
        spent_seconds=F("spent_seconds") + seconds
    )


def record_sample(
    *, sample: Sample, image: Image.Image, now: datetime, reading: PromptReading | None = None
) -> None:
    """Record one sample."""
    record_samples(samples=[sample], images=[image], now=now, readings=[reading])
