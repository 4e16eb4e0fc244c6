"""Measures of the file and of its pixels; nothing is learnt.

Pixel measures are taken of a copy of at most 512 pixels a side, so that a threshold means the same
for small and large images. Grey is in [0, 1], with the weights of ITU-R BT.601.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput

Array = npt.NDArray[np.float32]
_SIDE = 512


class Size:
    """How large an image is, as it is shown."""

    identity = ScorerIdentity("size", "1")
    measures = {
        "width": "int64", "height": "int64", "min_side": "int64", "aspect": "float64",
        "bytes": "int64", "frames": "int64",
    }  # fmt: skip
    reads_fields = False

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return pixels, bytes, the longer side over the shorter, and the number of frames."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: ScorerInput) -> Row:
        width, height = sample.image.size
        return {
            "width": width, "height": height, "min_side": min(width, height),
            "aspect": max(width, height) / min(width, height),
            "bytes": sample.bytes, "frames": sample.frames,
        }  # fmt: skip


class PixelMeasures:
    """Sharpness, contrast, colour and light."""

    identity = ScorerIdentity("pixels", "1")
    measures = dict.fromkeys(
        ("sharpness", "noise", "contrast", "colourfulness", "single_colour", "brightness",
         "darkest", "brightest"),
        "float64",
    )  # fmt: skip
    reads_fields = False

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return eight numbers an image; see :func:`measure`."""
        return [measure(sample.image) for sample in samples]


def measure(image: Image.Image) -> Row:
    """Return the measures of an RGB image.

    `sharpness` is the 99th percentile of the steepness of grey (central differences), `noise` the
    share of pixels that differ by 0.1 or more from the mean of their four neighbours, `contrast`
    the standard deviation of grey, `colourfulness` as Hasler and Süsstrunk 2003 (their third
    measure, over 255), `single_colour` the share of the most frequent of 4096 colours,
    `brightness` the mean of grey, `darkest` and `brightest` its 5th and 99th percentiles.
    """
    small = image if max(image.size) <= _SIDE else _smaller(image)
    pixels = np.asarray(small)
    grey: Array = np.asarray(small.convert("L"), dtype=np.float32) / np.float32(255)
    levels = np.bincount((grey.ravel() * 255).astype(np.uint8), minlength=256).cumsum() / grey.size
    return {
        "sharpness": _steepness(grey),
        "noise": _roughness(grey),
        "contrast": float(grey.std()),
        "colourfulness": _colourfulness(pixels),
        "single_colour": _single_colour(pixels),
        "brightness": float(grey.mean()),
        "darkest": int(np.searchsorted(levels, 0.05)) / 255,
        "brightest": int(np.searchsorted(levels, 0.99)) / 255,
    }


def _smaller(image: Image.Image) -> Image.Image:
    scale = _SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)


def _steepness(grey: Array) -> float:
    padded = np.pad(grey, 1, mode="edge")
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    steep = np.hypot(across, down) / 2
    return float(np.partition(steep.ravel(), k := int(0.99 * (steep.size - 1)))[k])


def _roughness(grey: Array) -> float:
    padded = np.pad(grey, 1, mode="edge")
    around = padded[1:-1, 2:] + padded[1:-1, :-2] + padded[2:, 1:-1] + padded[:-2, 1:-1]
    return float((np.abs(around / 4 - grey) >= 0.1).mean())


def _colourfulness(pixels: npt.NDArray[np.uint8]) -> float:
    red, green, blue = pixels.astype(np.float32).transpose(2, 0, 1)
    first, second = red - green, (red + green) / 2 - blue
    spread = np.hypot(first.std(), second.std())
    return float(spread + 0.3 * np.hypot(first.mean(), second.mean())) / 255


def _single_colour(pixels: npt.NDArray[np.uint8]) -> float:
    red, green, blue = (pixels >> 4).astype(np.int32).transpose(2, 0, 1)
    counts = np.bincount(((red << 8) | (green << 4) | blue).ravel(), minlength=4096)
    return float(counts.max() / red.size)
