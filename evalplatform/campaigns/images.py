"""The two images of a comparison as annotators get them: of one size, whatever made them."""

import uuid

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageOps

from evalplatform.generation.models import Sample
from evalplatform.generation.services import encode_image

GREY = (128, 128, 128)
Size = tuple[int, int]


def shown_images(sample_a: Sample, sample_b: Sample) -> tuple[str, str]:
    """Return the storage names of what is shown for two samples.

    Samples are stored as bare PNG already. Where their sizes differ, the size would tell which
    checkpoint made which: the larger in area is then shown as a copy of the smaller one's size.
    """
    size = shown_size(sample_a, sample_b)
    return _of_size(sample_a, size), _of_size(sample_b, size)


def shown_size(sample_a: Sample, sample_b: Sample) -> Size:
    """Return the (width, height) at which a pair of samples is shown: the smaller one's."""
    return min((_size(sample_a), _size(sample_b)), key=lambda size: size[0] * size[1])


def _size(sample: Sample) -> Size:
    return int(sample.width or 1), int(sample.height or 1)


def _of_size(sample: Sample, size: Size) -> str:
    """Return the sample's image, or store a copy of this size under a random name."""
    if _size(sample) == size:
        return sample.image
    content = ContentFile(encode_image(open_sample(sample, size)))
    return default_storage.save(f"shown/{uuid.uuid4().hex}.png", content)


def open_sample(sample: Sample, size: Size) -> Image.Image:
    """Return a sample's image as it is shown at this size."""
    with default_storage.open(sample.image) as file, Image.open(file) as image:
        return fit_on_grey(image, size)


def fit_on_grey(image: Image.Image, size: Size) -> Image.Image:
    """Return `image` upright and opaque, scaled into `size` in the middle of neutral grey."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    if upright.size != size:
        upright = ImageOps.contain(upright, size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", size, GREY)
    place = ((size[0] - upright.width) // 2, (size[1] - upright.height) // 2)
    canvas.paste(upright, place, upright)
    return canvas
