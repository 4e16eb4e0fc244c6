"""Storing images and filling in their rows."""

import hashlib
import io
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from PIL import Image

from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.version import code_version
from evalplatform.generation.models import GenerationBatch, GenerationRequest, Sample
from evalplatform.generation.statements import fill_in

# Seconds between attempts to store an image; after the last it fails.
_PAUSES = (1.0, 3.0, 9.0, None)


@dataclass(frozen=True)
class MadeImage:
    """An image that lies in object storage."""

    name: str
    sha256: str
    width: int
    height: int


def store_image(image: Image.Image) -> MadeImage:
    """Put an image into object storage under the hash of its content.

    It is encoded as PNG without metadata, so nothing in the file or its name tells which
    checkpoint made it. A storage that is away for a moment is waited for.
    """
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
    return MadeImage(name, digest, image.width, image.height)


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
    batch: GenerationBatch | None = None,
    seconds: float = 0.0,
    pool: Executor | None = None,
) -> None:
    """Store every image, then fill in the rows: a kill between the two leaves the rows planned.

    `seconds` of worker time are charged to `batch` and its request's budget. `pool` encodes and
    sends several images at once.
    """
    stored = pool.map(store_image, images) if pool else map(store_image, images)
    made = [
        (sample.pk, image.name, image.sha256, image.width, image.height)
        for sample, image in zip(samples, stored, strict=True)
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


def record_sample(*, sample: Sample, image: Image.Image, now: datetime) -> None:
    """Record one sample."""
    record_samples(samples=[sample], images=[image], now=now)
