"""Near duplicates: MinHash signatures of letters' 5-grams, bands of them, and then the texts.

Broder 1997 (resemblance) and Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3
(bands). By numpy over many texts at once, the bands on the disk: known libraries keep an index of
all texts in memory, which ten million lines do not allow.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalplatform.promptsets.building.keys import Pairs, of_file, with_the_first_and_the_one_before

GRAM = 5
BANDS, ROWS = 20, 5
"""Two texts that share 0.8 of their 5-grams meet in a band with probability 0.9996."""
_BASE = np.uint64(1_099_511_628_211)
_COMPARED = 50_000  # signatures at a time
_SIGNED = 64  # hashes of which a signature keeps a byte
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
    return _keys(_least_hashes(texts))


def _least_hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return the least value of each hash over a text's grams, shape (texts, BANDS * ROWS)."""
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
    least = np.empty((len(texts), BANDS * ROWS), dtype=np.uint64)
    for at in range(BANDS * ROWS):
        mixed = (own * _FACTORS[at] + _OFFSETS[at]) >> np.uint64(16)
        least[:, at] = np.minimum.reduceat(mixed, firsts)
    return least


def _keys(least: NDArray[np.uint64]) -> NDArray[np.uint64]:
    keys = np.zeros((len(least), BANDS), dtype=np.uint64)
    for row in range(ROWS):
        keys = keys * _BASE + least[:, row::ROWS]
    return keys


class BandFiles:
    """The bands' keys on the disk, a file each, with numbers and short signatures of the texts.

    Memory stays flat however many texts there are. Of very many, most share a band with another
    by chance: their signatures, a byte of each of 64 hashes, leave those that may be alike.

    Args:
        folder: where the files are; what was in them goes.
        near: the resemblance from which texts are wanted as pairs, 0 to 1.
    """

    def __init__(self, folder: Path, near: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._bands = [folder / f"band-{band:02}.u64" for band in range(BANDS)]
        self._numbers, self._signatures = folder / "numbers.i64", folder / "signatures.u8"
        self._files = [*self._bands, self._numbers, self._signatures]
        self.remove()
        # Four standard errors below: of 30,000 pairs just as near one is missed.
        error = 4 * (near * (1 - near) / _SIGNED) ** 0.5
        self._least = int((near - error) * _SIGNED)

    def add(self, batches: Iterable[Sequence[tuple[int, str]]]) -> None:
        """Write down the keys of texts, each given with its number."""
        files = [path.open("ab") for path in self._files]
        try:
            for batch in batches:
                numbers, texts = zip(*batch, strict=True)
                least = _least_hashes(texts)
                found = (
                    *_keys(least).T,
                    np.array(numbers, np.int64),
                    least[:, :_SIGNED].astype(np.uint8),  # the lowest eight bits
                )
                for file, part in zip(files, found, strict=True):
                    file.write(np.ascontiguousarray(part).tobytes())
        finally:
            for file in files:
                file.close()

    def pairs(self, progress: Callable[[float], None] = lambda _: None) -> Iterator[Pairs]:
        """Yield numbers of texts that may be alike: those given earlier, those given later.

        Of those that share a key each is paired with the first and with the one before it.
        """
        numbers = of_file(self._numbers, np.int64)
        signatures = of_file(self._signatures, np.uint8).reshape(-1, _SIGNED)
        for band, path in enumerate(self._bands):
            progress(band / BANDS)
            keys = of_file(path, np.uint64)
            for earlier, later in with_the_first_and_the_one_before(keys):
                for at in range(0, len(later), _COMPARED):
                    one, other = earlier[at : at + _COMPARED], later[at : at + _COMPARED]
                    same = signatures[one] == signatures[other]
                    alike = same.sum(axis=1, dtype=np.uint8) >= self._least
                    yield numbers[one[alike]], numbers[other[alike]]

    def remove(self) -> None:
        """Remove the files."""
        for path in self._files:
            path.unlink(missing_ok=True)
