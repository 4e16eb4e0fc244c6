"""Any image of a source, read or refused with a reason. No torch here."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from models_backend.data.pictures import decode
from models_backend.errors import InputError

_MOST_PIXELS = 178_956_970
"""Twice Pillow's own limit, at which it refuses too: a file that unpacks to more is a bomb."""


@dataclass(frozen=True)
class ReadPicture:
    """A decoded image: RGB, upright, on white where it is transparent; of several the first."""

    image: Image.Image
    ending: str
    """Of the file's own format, whatever it was called: png, jpg, webp …"""
    frames: int


def read_picture(data: bytes) -> ReadPicture:
    """Decode the bytes of an image file.

    Raises:
        InputError: whatever is wrong with it, in a few words.
    """
    if not data:
        raise InputError("0 bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large images, odd metadata: the result counts
        try:
            with Image.open(io.BytesIO(data)) as opened:
                form, frames = opened.format or "", int(getattr(opened, "n_frames", 1))
                if opened.width * opened.height > _MOST_PIXELS:
                    raise InputError(f"{opened.width} x {opened.height} pixels are too many")
            return ReadPicture(decode(data, "the file"), _ENDINGS.get(form, form.lower()), frames)
        except InputError:
            raise
        except Exception as error:  # Pillow's readers raise almost anything on spoilt files
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise InputError(f"the file cannot be read as an image ({reason})") from None


_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "MPO": "jpg"}
