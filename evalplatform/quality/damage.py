"""Damage that makes an image clearly worse than itself, whatever it shows.

Strength is relative to the image's size, so that it shows at any resolution and on any screen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext_noop
from PIL import Image, ImageFilter

_TILES = 6  # a side
_NOISY_SHARE = 0.6  # of cells replaced by random colour
# A side at most. Finer noise would be averaged away on a screen, and make a file larger than a
# sample's, to whose length all files of the campaign would be padded.
_NOISE_CELLS = 32
_BLUR = 1 / 12  # radius by the longer side
_LEVELS = 4  # per channel
_MUD, _MUD_GREY = 0.65, 100  # share of grey mixed in, and its level
# Mean absolute change per channel, in [0, 1], below which a damage may go unnoticed.
_LEAST_CHANGE = 0.08


@dataclass(frozen=True)
class Damage:
    """One way of spoiling an image: (H, W, 3) bytes in and out."""

    name: str
    why: str  # stored in English; translated when shown
    why_alone: str  # the same of an image that stands alone
    apply: Callable[[np.ndarray, np.random.Generator], np.ndarray]


def shuffle_tiles(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut into 6 × 6 tiles and put each where another was."""
    height, width = pixels.shape[:2]
    count = min(_TILES, height, width)
    high, wide = height // count, width // count
    places = [(row * high, column * wide) for row in range(count) for column in range(count)]
    # Along a random cycle through all places no tile stays.
    cycle = rng.permutation(len(places))
    spoilt = pixels.copy()
    for source, target in zip(cycle, np.roll(cycle, 1), strict=True):
        (y, x), (to_y, to_x) = places[source], places[target]
        spoilt[to_y : to_y + high, to_x : to_x + wide] = pixels[y : y + high, x : x + wide]
    return spoilt


def cover_in_noise(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace three fifths of the image, in small square cells, by random colours."""
    height, width = pixels.shape[:2]
    cell = max(1, -(-max(height, width) // _NOISE_CELLS))
    cells = (-(-height // cell), -(-width // cell))
    colours = rng.integers(0, 256, (*cells, 3), dtype=np.uint8)
    noisy = rng.random(cells) < _NOISY_SHARE

    def grown(small: np.ndarray) -> np.ndarray:
        return small.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]

    return np.where(grown(noisy)[..., None], grown(colours), pixels)


def smear(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur by a twelfth of the longer side, keep few levels of each channel, sink all in grey.

    Without the grey, flat bright colours would come out, which somebody may like.
    """
    radius = max(1.0, max(pixels.shape[:2]) * _BLUR)
    blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))
    step = 255 / (_LEVELS - 1)
    flat = np.round(blurred / step) * step
    return (_MUD * _MUD_GREY + (1 - _MUD) * flat).astype(np.uint8)


DAMAGES = (
    Damage(
        "shuffled",
        gettext_noop("The other image has its parts mixed up."),
        gettext_noop("The image has its parts mixed up."),
        shuffle_tiles,
    ),
    Damage(
        "noise",
        gettext_noop("The other image is covered in noise."),
        gettext_noop("The image is covered in noise."),
        cover_in_noise,
    ),
    Damage(
        "smeared",
        gettext_noop("The other image is blurred into grey blotches."),
        gettext_noop("The image is blurred into grey blotches."),
        smear,
    ),
)


def spoil(image: Image.Image, first: int, rng: np.random.Generator) -> tuple[Image.Image, Damage]:
    """Return a spoilt copy of `image` and how it was spoilt.

    The kinds are tried in turn from number `first`, as one of them may hardly show (shuffling an
    even area changes nothing); noise always does.
    """
    pixels = np.asarray(image.convert("RGB"))
    for offset in range(len(DAMAGES)):
        damage = DAMAGES[(first + offset) % len(DAMAGES)]
        spoilt = damage.apply(pixels, rng)
        change = np.abs(spoilt.astype(np.int16) - pixels.astype(np.int16)).mean() / 255
        if change >= _LEAST_CHANGE:
            return Image.fromarray(spoilt), damage
    raise AssertionError("noise changes every image")
