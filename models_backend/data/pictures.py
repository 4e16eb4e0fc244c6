"""Pictures as the trainer takes them: decoded, on white, at the size of a bucket. No torch here."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from models_backend.errors import InputError

Bytes = npt.NDArray[np.uint8]
_MODES = ("RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr")
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: stored lying, shown upright
_ASPECTS = (0.5, 4 / 7, 2 / 3, 0.75, 0.875, 1.0)


def bucket_sizes(
    resolution: int, *, aspect_ratios: bool, multiple: int = 8
) -> list[tuple[int, int]]:
    """Return the (height, width) pairs a stage trains at, square first.

    Each has about the area of `resolution` squared and sides that are multiples of a 16th of
    `resolution`, itself rounded to a multiple of `multiple`. The list of ratios, 1:2 to 2:1, is
    ours: SDXL uses such buckets, Emu only says that it filters by aspect ratio.
    """
    if not aspect_ratios:
        return [(resolution, resolution)]
    unit = max(multiple, resolution // 16 // multiple * multiple)
    sizes = [(resolution, resolution)]
    for ratio in _ASPECTS:
        short = round(resolution * math.sqrt(ratio) / unit) * unit
        long = resolution * resolution // short // unit * unit
        sizes += [(short, long), (long, short)]
    return list(dict.fromkeys(sizes))


def nearest_buckets(
    sizes: npt.NDArray[np.int32], buckets: list[tuple[int, int]]
) -> npt.NDArray[np.int16]:
    """Return for each (height, width) of (N, 2) the bucket whose shape is nearest."""
    shapes = np.log(sizes[:, 0] / sizes[:, 1])
    wanted = np.log([height / width for height, width in buckets])
    return np.abs(shapes[:, None] - wanted[None, :]).argmin(axis=1).astype(np.int16)


def decode(data: bytes, name: str) -> Image.Image:
    """Return a picture as RGB, turned as its EXIF data says, on white where it is transparent.

    Raises:
        InputError: not an image, cut short, or of a mode whose range is not 8 bits a channel.
    """
    return on_white(_upright(data, name))


def decode_transparent(data: bytes, name: str) -> Image.Image:
    """Return a picture as RGBA, turned as its EXIF data says.

    Raises:
        InputError: see :func:`decode`.
    """
    return _upright(data, name).convert("RGBA")


def _upright(data: bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            picture: Image.Image = ImageOps.exif_transpose(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} cannot be read as an image ({error}); replace it") from None
    _refuse_mode(picture.mode, name)
    return picture


def has_alpha(picture: Image.Image) -> bool:
    """Whether a picture may be transparent somewhere."""
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def on_white(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, on white where it is transparent."""
    if has_alpha(picture):
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return picture.convert("RGB")


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Return (height, width) as the picture is shown, from its header."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return _shown_size(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} cannot be read as an image ({error}); replace it") from None


def examine(data: bytes, name: str) -> tuple[int, int]:
    """Return what :func:`size_of` does, after reading all of the picture as training will.

    A JPEG is decoded at an eighth of its size, which reads every byte in a third of the time.

    Raises:
        InputError: see :func:`decode`.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            size, mode = _shown_size(opened), opened.mode
            opened.draft(None, (1, 1))
            opened.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} cannot be read as an image ({error}); replace it") from None
    _refuse_mode(mode, name)
    return size


def _shown_size(opened: Image.Image) -> tuple[int, int]:
    turned = opened.getexif().get(_ORIENTATION) in _TURNED
    return (opened.width, opened.height) if turned else (opened.height, opened.width)


def _refuse_mode(mode: str, name: str) -> None:
    if mode not in _MODES:
        raise InputError(
            f"{name} is an image of mode {mode}; accepted are {', '.join(_MODES)}: "
            "convert it to 8 bits a channel"
        )


class Framing(NamedTuple):
    """What of a picture is seen: its own size, and where the rest begins once it is scaled."""

    height: int
    width: int
    top: int
    left: int


def framing_of(own: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Return what :func:`fit` leaves of a picture of (height, width) `own`."""
    tall, wide = _covering(own, size)
    return Framing(*own, (tall - size[0]) // 2, (wide - size[1]) // 2)


def _covering(own: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    scale = max(size[0] / own[0], size[1] / own[1])
    return max(size[0], round(own[0] * scale)), max(size[1], round(own[1] * scale))


def fit(picture: Image.Image, size: tuple[int, int]) -> Bytes:
    """Return bytes (3, H, W): scaled to cover `size`, the middle cut out."""
    own = picture.height, picture.width
    if own != size:
        tall, wide = _covering(own, size)
        picture = picture.resize((wide, tall), Image.Resampling.LANCZOS)
        _, _, top, left = framing_of(own, size)
        picture = picture.crop((left, top, left + size[1], top + size[0]))
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
