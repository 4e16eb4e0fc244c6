"""Storing images and filling in their rows."""

import hashlib
import io
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from PIL import Image

from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.version import code_version
from evalplatform.generation.models import GenerationBatch, GenerationRequest, Sample
from evalplatform.generation.statements import MadeSample, fill_in

# Seconds between attempts to store an image; after the last it fails.
_PAUSES = (1.0, 3.0, 9.0, None)


@dataclass(frozen=True)
class MadeImage:
    """An image that lies in object storage."""

    name: str
    sha256: str
    width: int
    height: int
    pixels_sha256: str
    is_constant: bool


class PromptReading(Protocol):
    """How many tokens a prompt has, and how many of them the text encoder took."""

    @property
    def tokens(self) -> int: ...

    @property
    def read(self) -> int: ...


def store_image(image: Image.Image) -> MadeImage:
    """Put an image into object storage under the hash of its content.

    It is encoded as PNG without metadata, so nothing in the file or its name tells which
    checkpoint made it. A storage that is away for a moment is waited for.
    """
    image = image.convert("RGB")
    content = encode_image(image)
    digest = hashlib.sha256(content).hexdigest()
    name = f"samples/{digest[:2]}/{digest}.png"
    for pause in _PAUSES:
        try:
            _put(name, content)
            break
        except (OSError, ObjectStorageError):
            if pause is None:
                raise
            time.sleep(pause)
    return MadeImage(
        name=name,
        sha256=digest,
        width=image.width,
        height=image.height,
        pixels_sha256=_pixels_sha256(image),
        is_constant=all(low == high for low, high in image.getextrema()),  # type: ignore[misc]
    )


def _pixels_sha256(image: Image.Image) -> str:
    """Hash what is seen: the same picture may be other bytes where another zlib packed it."""
    return hashlib.sha256(b"%d x %d\n" % image.size + image.tobytes()).hexdigest()


def _put(name: str, content: bytes) -> None:
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(content))


def encode_image(image: Image.Image) -> bytes:
    """Return `image` as 8-bit RGB PNG bytes with no metadata at all."""
    bare = Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    buffer = io.BytesIO()
    bare.save(buffer, format="PNG")
    return buffer.getvalue()


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
    stored = pool.map(store_image, images) if pool else map(store_image, images)
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
