"""Near duplicates: MinHash signatures of letters' 5-grams, bands of them, and then the texts.

Broder 1997 (resemblance) and Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3
(bands). By numpy over many texts at once, the bands on the disk: known libraries keep an index of
all texts in memory, which ten million lines do not allow.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GRAM = 5
BANDS, ROWS = 20, 5
"""Two texts that share 0.8 of their 5-grams meet in a band with probability 0.9996."""
_BASE = np.uint64(1_099_511_628_211)
_SEPARATOR = "\x02"

_random = np.random.Generator(np.random.PCG64(20_260_000))
_FACTORS = _random.integers(1, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _random.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)


def grams(text: str) -> set[str]:
    """Return the 5-grams of a text, itself where it is shorter."""
    return {text[at : at + GRAM] for at in range(max(1, len(text) - GRAM + 1))}


def resemblance(one: str, other: str) -> float:
    """Return the share of 5-grams that two texts have in common (Jaccard), 0 to 1."""
    first, second = grams(one), grams(other)
    return len(first & second) / len(first | second)


def band_keys(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return each text's key in each band, shape (texts, BANDS)."""
    padded = [text.ljust(GRAM, _SEPARATOR) for text in texts]
    counts = np.array([len(each) - GRAM + 1 for each in padded])
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    hashes = np.zeros(len(letters) - GRAM + 1, dtype=np.uint64)
    for place in range(GRAM):
        hashes = hashes * _BASE + letters[place : len(letters) - GRAM + 1 + place]
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(32)
    # Grams that begin in one text and end in the next are none.
    starts = np.concatenate([[0], np.cumsum(counts + GRAM - 1)[:-1]])
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    of_a_text = np.arange(counts.sum()) + np.repeat(starts - firsts, counts)
    own = hashes[of_a_text]
    keys = np.zeros((len(texts), BANDS), dtype=np.uint64)
    for band in range(BANDS):
        for row in range(ROWS):
            at = band * ROWS + row
            mixed = (own * _FACTORS[at] + _OFFSETS[at]) >> np.uint64(16)
            keys[:, band] = keys[:, band] * _BASE + np.minimum.reduceat(mixed, firsts)
    return keys


class BandFiles:
    """The bands' keys on the disk, a file each, in the order of the texts.

    Memory: about 24 bytes a text, one band at a time.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"band-{band:02}.u64" for band in range(BANDS)]
        for path in self._paths:
            path.unlink(missing_ok=True)

    def add(self, batches: Iterable[Sequence[str]]) -> None:
        """Write down the keys of texts."""
        files = [path.open("ab") for path in self._paths]
        try:
            for texts in batches:
                if texts:
                    for file, keys in zip(files, band_keys(texts).T, strict=True):
                        file.write(np.ascontiguousarray(keys).tobytes())
        finally:
            for file in files:
                file.close()

    def pairs(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield, band by band, places of texts that may be alike: earlier ones, later ones.

        Of those that share a key each is paired with the first and with the one before it.
        """
        for path in self._paths:
            keys = np.fromfile(path, dtype=np.uint64)
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            same = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
            if not same.size:
                continue
            begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
            first = begins[np.searchsorted(begins, same, side="right") - 1]
            yield order[first], order[same]
            not_first = first != same - 1
            yield order[same[not_first] - 1], order[same[not_first]]

    def remove(self) -> None:
        """Remove the files."""
        for path in self._paths:
            path.unlink(missing_ok=True)
