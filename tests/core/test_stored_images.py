"""Images as they are kept."""

import io

import numpy as np
import pytest
from PIL import Image

from evalplatform.core.stored_images import encode_image, store_image
from tests import factories


def decoded(png):
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
        return image


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (64, 33), (300, 200)])
def test_encoded_image_has_every_pixel(size):
    rng = np.random.default_rng(size[0])
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    assert decoded(encode_image(image)).tobytes() == image.tobytes()


def test_encoded_image_is_about_as_small_as_pillows():
    smooth = factories.make_image(1, size=8).resize((256, 256), Image.Resampling.BICUBIC)
    for image in (smooth, factories.make_image(2, size=256)):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        assert len(encode_image(image)) < 1.25 * len(buffer.getvalue())


def test_image_is_stored_once_under_the_hash_of_its_bytes():
    image = factories.make_image(5)
    first = store_image(image, folder="some")
    assert store_image(image, folder="some") == first
    assert first.name == f"some/{first.sha256[:2]}/{first.sha256}.png"
