"""A fingerprint by which near-duplicates are found: equal or nearly so for copies of an image.

The hash by the discrete cosine transform, as Zauner 2010 (section 3.2.1) and the package imagehash
(`phash`) have it, with a dead zone, which is ours: a bit is set where a frequency lies clearly
above the median. Of a symmetric drawing half the frequencies are nearly none, and without the zone
their bits are noise: of 576 drawings enlarged, brightened and compressed 5 % would not be found.

The hash tells of shape as a whole. Two more numbers stand beside it and are compared where hashes
are near: the direction of grey from cell to cell (`gradient`, imagehash's `dhash` with a dead zone
of ours) and the mean colours of a 2 x 2 grid, since drawings on white are alike in shape.

The same three numbers of windows of the image meet those of images from which edges were cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.fft import dct

from models_backend.curation.fingerprints import COLUMNS, WHOLE, WINDOWS, Box, columns_of
from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput

_SIDE = 128  # a larger image is made smaller first, to less than twice as much
_GRID = 32
_LOW = 8
_CLEARLY = 0.2  # of the mean magnitude of the frequencies
_STEEPLY = 6  # of 255, from a cell to the next


class Duplicates:
    """The fingerprint of an image."""

    identity = ScorerIdentity("duplicates", "3")
    measures = dict.fromkeys(COLUMNS, "uint64")
    reads_fields = False

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return three 64-bit numbers of an image, and of each window of it."""
        return [_fingerprint(sample.image) for sample in samples]


def _fingerprint(image: Image.Image) -> Row:
    image = image.reduce(max(1, max(image.size) // _SIDE))
    grey, row = image.convert("L"), Row()
    for window, box in {"": WHOLE, **WINDOWS}.items():
        prints = (
            hash_of_grey(grey, box=box), gradient_of_grey(grey, box=box), colours(image, box=box)
        )  # fmt: skip
        row |= dict(zip(columns_of(window), prints, strict=True))
    return row


def _within(image: Image.Image, box: Box) -> Box:
    left, top, right, bottom = box
    return (
        left * image.width, top * image.height, right * image.width, bottom * image.height
    )  # fmt: skip


def hash_of_grey(grey: Image.Image, *, box: Box = WHOLE, clearly: float = _CLEARLY) -> int:
    """Return 64 bits: whether each of the 8 x 8 lowest frequencies lies above their median.

    Above it by so many of their mean magnitudes (the lowest left out), in a box of a grey image.
    Of the whole image and with `clearly` 0 the bits are those of imagehash.
    """
    small = grey.resize((_GRID, _GRID), Image.Resampling.LANCZOS, box=_within(grey, box))
    waves = dct(dct(np.asarray(small, dtype=np.float64), axis=0), axis=1)[:_LOW, :_LOW]
    size = (np.abs(waves).sum() - abs(waves[0, 0])) / waves.size
    bits = waves > np.median(waves) + clearly * size
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def gradient_of_grey(grey: Image.Image, *, box: Box = WHOLE, steeply: int = _STEEPLY) -> int:
    """Return 64 bits: whether each cell of an 8 x 8 grid is clearly darker than the next one.

    By more than `steeply` of 255; with 0, of the whole image, the bits are those of imagehash.
    """
    cells = np.asarray(
        grey.resize((9, 8), Image.Resampling.LANCZOS, box=_within(grey, box)), dtype=np.int16
    )
    bits = cells[:, 1:] > cells[:, :-1] + steeply
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def colours(image: Image.Image, *, box: Box = WHOLE) -> int:
    """Return the mean colours of a 2 x 2 grid, 5 bits a channel: 60 bits, the first cell highest.

    Bits are not for counting here; `near_duplicates.furthest_colour` compares them.
    """
    small = image.resize((2, 2), Image.Resampling.BOX, box=_within(image, box))
    cells = np.asarray(small) >> 3
    packed = 0
    for level in cells.ravel().tolist():
        packed = packed << 5 | level
    return packed
