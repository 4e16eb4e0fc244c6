"""Thumbnails: small, made once, kept beside the images, and as good as these."""

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.core import thumbnails
from evalplatform.core.stored_images import encode_image
from evalplatform.core.thumbnails import SIDE, thumbnail
from tests import factories


def store(image, name):
    content = io.BytesIO()
    image.save(content, "PNG")
    default_storage.save(name, ContentFile(content.getvalue()))
    return name


def stored(name):
    with default_storage.open(name) as file, Image.open(file) as image:
        image.load()
        return image


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1024, 1024), (SIDE, SIDE)), ((1024, 512), (SIDE, SIDE // 2)), ((64, 48), (64, 48))],
)
def test_longer_side_is_bounded_and_the_shape_kept(size, expected):
    name = store(Image.new("RGB", size, (200, 30, 30)), f"thumbs-of/{size[0]}-{size[1]}.png")
    small = stored(thumbnail(name))
    assert (small.format, small.size) == ("WEBP", expected)


def test_it_is_made_once(monkeypatch):
    name = store(factories.make_image(910, 300), "thumbs-of/once.png")
    first = thumbnail(name)
    monkeypatch.setattr(thumbnails, "shrunk", lambda image: pytest.fail("made again"))
    assert thumbnail(name) == first


def test_small_picture_keeps_every_pixel():
    image = factories.make_image(911, 64)
    default_storage.save("thumbs-of/exact.png", ContentFile(encode_image(image)))
    small = stored(thumbnail("thumbs-of/exact.png"))
    assert (np.asarray(small.convert("RGB")) == np.asarray(image)).all()


def test_it_carries_no_metadata_of_its_image():
    noted = Image.new("RGB", (300, 300))
    noted.info["comment"] = "made by a checkpoint"
    name = store(noted, "thumbs-of/noted.png")
    with default_storage.open(thumbnail(name)) as file:
        assert b"checkpoint" not in file.read()


def test_missing_and_broken_images_have_none():
    with pytest.raises(FileNotFoundError):
        thumbnail("thumbs-of/never-there.png")
    default_storage.save("thumbs-of/broken.png", ContentFile(b"\x89PNG\r\n\x1a\n and no more"))
    with pytest.raises(OSError, match="identify"):
        thumbnail("thumbs-of/broken.png")


def test_bucket_keeps_them_too(images_in_s3):
    name = store(factories.make_image(912, 300), "thumbs-of/bucket.png")
    assert stored(thumbnail(name)).size == (SIDE, SIDE)
