"""Images as they are kept."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.core.stored_images import encode_image, keeps_alpha, store_image
from evalplatform.core.transparency import Ground, on_ground
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


def test_transparent_images_are_stored_with_their_alpha():
    layer = Image.fromarray(np.random.default_rng(3).integers(0, 256, (9, 7, 4), dtype=np.uint8))
    packed = store_image(layer, folder="some")
    with default_storage.open(packed.name) as file, Image.open(file) as opened:
        assert opened.mode == "RGBA"
        assert opened.tobytes() == layer.tobytes()
    assert keeps_alpha(packed.name)
    assert not keeps_alpha(store_image(layer.convert("RGB"), folder="some").name)


@pytest.mark.parametrize("ground", Ground)
def test_transparent_images_lie_on_a_ground(ground):
    layer = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    layer.paste((200, 0, 0, 255), (0, 0, 16, 32))
    shown = on_ground(layer, ground)
    assert shown.mode == "RGB"
    assert shown.getpixel((3, 3)) == (200, 0, 0)
    right = {shown.getpixel((x, y)) for x in range(16, 32) for y in range(32)}
    grounds = {"grey": {(128,) * 3}, "white": {(255,) * 3}, "checker": {(255,) * 3, (208,) * 3}}
    assert right == grounds[ground]
    opaque = layer.convert("RGB")
    assert on_ground(opaque, ground).tobytes() == opaque.tobytes()
