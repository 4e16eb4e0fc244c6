"""A fingerprint by which near-duplicates are found: equal or nearly so for copies of an image.

The hash by the discrete cosine transform, as Zauner 2010 (section 3.2.1) and the package imagehash
(`phash`) have it, with a dead zone, which is ours: a bit is set where a frequency lies clearly
above the median. Of a symmetric drawing half the frequencies are nearly none, and without the zone
their bits are noise: of 576 drawings enlarged, brightened and compressed 5 % would not be found.

Two more hashes, of the middle of the image, meet those of images from which edges were cut.
Drawings on white are alike in shape; so the mean colours of a 2 x 2 grid stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.fft import dct

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput

_GRID = 32
_LOW = 8
_CLEARLY = 0.2  # of the mean magnitude of the frequencies
INNER = {"inner_96": 0.96, "inner_88": 0.88}
"""Hashes of the middle, and how much of each side it is."""


class Duplicates:
    """The fingerprint of an image."""

    identity = ScorerIdentity("duplicates", "2")
    measures = dict.fromkeys(("phash", *INNER, "colours"), "uint64")
    reads_fields = False

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return four 64-bit numbers an image."""
        return [_fingerprint(sample.image) for sample in samples]


def _fingerprint(image: Image.Image) -> Row:
    grey = image.convert("L")
    inner = {name: hash_of_grey(grey, share=share) for name, share in INNER.items()}
    return {"phash": hash_of_grey(grey), **inner, "colours": colours(image)}


def hash_of_grey(grey: Image.Image, *, share: float = 1.0, clearly: float = _CLEARLY) -> int:
    """Return 64 bits: whether each of the 8 x 8 lowest frequencies lies above their median.

    Above it by so many of their mean magnitudes (the lowest left out), in the middle of a grey
    image, `share` of each side. With a share of 1 and `clearly` 0 the bits are those of imagehash.
    """
    left, top = grey.width * (1 - share) / 2, grey.height * (1 - share) / 2
    small = grey.resize(
        (_GRID, _GRID), Image.Resampling.LANCZOS,
        box=(left, top, grey.width - left, grey.height - top),
    )  # fmt: skip
    waves = dct(dct(np.asarray(small, dtype=np.float64), axis=0), axis=1)[:_LOW, :_LOW]
    size = (np.abs(waves).sum() - abs(waves[0, 0])) / waves.size
    bits = waves > np.median(waves) + clearly * size
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def colours(image: Image.Image) -> int:
    """Return the mean colours of a 2 x 2 grid, 5 bits a channel: 60 bits, the first cell highest.

    Bits are not for counting here; :func:`unpack` gives the levels.
    """
    cells = np.asarray(image.resize((2, 2), Image.Resampling.BOX)) >> 3
    packed = 0
    for level in cells.ravel().tolist():
        packed = packed << 5 | level
    return packed
