"""A fingerprint by which near-duplicates are found: equal or nearly so for copies of an image.

The hash by the discrete cosine transform, as Zauner 2010 (section 3.2.1) and the package imagehash
(`phash`) have it: our bits are that package's, which a test shows. Drawings on white are alike in
shape; so the mean colours of a 2 x 2 grid stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.fft import dct

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput

_GRID = 32
_LOW = 8


class Duplicates:
    """The fingerprint of an image."""

    identity = ScorerIdentity("duplicates", "1")
    measures = {"phash": "uint64", "colours": "uint64"}
    reads_fields = False

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return two 64-bit numbers an image."""
        return [
            {"phash": perceptual_hash(sample.image), "colours": colours(sample.image)}
            for sample in samples
        ]


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits: whether each of the 8 x 8 lowest frequencies lies above their median."""
    grey = image.convert("L").resize((_GRID, _GRID), Image.Resampling.LANCZOS)
    waves = dct(dct(np.asarray(grey, dtype=np.float64), axis=0), axis=1)[:_LOW, :_LOW]
    bits = waves > np.median(waves)
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
