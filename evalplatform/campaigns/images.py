"""The two images of a comparison as annotators get them: of one size, whatever made them."""

import io
import uuid

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.generation.models import Sample
from evalplatform.generation.services import encode_image


def shown_images(sample_a: Sample, sample_b: Sample) -> tuple[str, str]:
    """Return the storage names of what is shown for two samples.

    Samples are stored as bare PNG already. Where their sizes differ, the size would tell which
    checkpoint made which: the larger in area is then shown as a copy of the smaller one's size.
    """
    size_a, size_b = (sample_a.width, sample_a.height), (sample_b.width, sample_b.height)
    if size_a == size_b:
        return sample_a.image, sample_b.image
    if _area(sample_a) > _area(sample_b):
        return _resized(sample_a, sample_b), sample_b.image
    return sample_a.image, _resized(sample_b, sample_a)


def _area(sample: Sample) -> int:
    return (sample.width or 0) * (sample.height or 0)


def _resized(larger: Sample, smaller: Sample) -> str:
    """Store `larger`, fitted into the other's size on neutral grey, under a random name."""
    target = (int(smaller.width or 1), int(smaller.height or 1))
    with default_storage.open(larger.image) as file, Image.open(io.BytesIO(file.read())) as image:
        scale = min(target[0] / image.width, target[1] / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        resized = image.convert("RGB").resize(inner, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", target, (128, 128, 128))
    canvas.paste(resized, ((target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2))
    return default_storage.save(f"shown/{uuid.uuid4().hex}.png", ContentFile(encode_image(canvas)))
