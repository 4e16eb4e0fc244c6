"""Small copies of stored images, for pages that show many at once."""

import io
from pathlib import PurePosixPath

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from evalplatform.core.transparency import Ground, on_ground

SIDE = 256  # pixels of the longer side, at most: twice what a page gives an image
CONTENT_TYPE = "image/webp"
_QUALITY = 75
_TINY = 128  # pixels: below, every pixel is seen, and keeping them all costs little


def thumbnail(name: str) -> str:
    """Return the storage name of a stored image's thumbnail; it is made when first asked for.

    A stored image never changes, so neither does its thumbnail. Raises `FileNotFoundError` where
    the image is not there, and `OSError` for one that cannot be read.
    """
    small = f"thumbnails/{SIDE}/{PurePosixPath(name).with_suffix('.webp')}"
    if not default_storage.exists(small):
        with default_storage.open(name) as file, Image.open(file) as image:
            default_storage.save(small, ContentFile(shrunk(image)))
    return small


def shrunk(image: Image.Image) -> bytes:
    """Return `image` as WebP of at most `SIDE` pixels a side, without metadata.

    A transparent one lies on a checker, which says so on pages of any colour.
    """
    small = on_ground(image, Ground.CHECKER)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, lossless=max(image.size) <= _TINY)
    return buffer.getvalue()
