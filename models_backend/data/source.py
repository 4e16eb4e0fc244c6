"""Where samples come from, and the order in which a run takes them. No torch here.

The order is a function of (seed, stage, step): no buffer has to be filled and no position stored,
so a run resumes in the middle of an epoch by computing where it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from models_backend.data.manifest import manifest_sha256, read_records
from models_backend.data.pictures import nearest_buckets, size_of
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One captioned image, still encoded."""

    image: bytes
    caption: str
    name: str
    """Where it is, for errors."""
    keywords: list[str] = field(default_factory=list)
    style: str = ""
    licence: str = "unknown"

    @classmethod
    def of(cls, image: bytes, fields: dict[str, Any], name: str, *, key: str = "caption") -> Self:
        """Check what a file says of a sample; its caption is called `key`."""
        caption = fields.get(key)
        if not isinstance(caption, str) or not caption.strip():
            raise InputError(f"{name}: the caption is missing or empty; every image needs one")
        keywords = fields.get("keywords") or []
        return cls(
            image, caption.strip(), name, [str(word) for word in keywords],
            str(fields.get("style") or ""), str(fields.get("licence") or "unknown"),
        )  # fmt: skip


class Source(Protocol):
    """A set of samples in shards."""

    sha256: str
    licences: list[str]

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, an array (samples, 2) a shard."""

    def read(self, shard: int, row: int) -> Sample:
        """Return one sample."""


class ManifestSource:
    """A finished data directory as one shard; pictures stay on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = read_records(folder)
        self.sha256 = manifest_sha256(folder)
        self.licences = sorted({record.licence for record in self.records})
        if not self.records:
            raise InputError(f"{folder} holds no images; build the data set again")

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, in one shard (N, 2)."""
        rows = [size_of(self._bytes(row), record.file) for row, record in enumerate(self.records)]
        return [np.array(rows, dtype=np.int32)]

    def read(self, shard: int, row: int) -> Sample:
        """Return one sample."""
        record = self.records[row]
        return Sample.of(self._bytes(row), vars(record), str(self.folder / record.file))

    def _bytes(self, row: int) -> bytes:
        path = self.folder / self.records[row].file
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); build it again") from None


class Order:
    """Which samples the batch of a step holds; every batch is of one bucket.

    Shards are shuffled in each epoch and taken in windows of a few; within a window samples are
    shuffled, so that only that many files are read at a time. What does not fill a batch of its
    bucket in a window is left out of that epoch (the next has other windows).
    """

    def __init__(
        self,
        sizes: list[npt.NDArray[np.int32]],
        buckets: list[tuple[int, int]],
        *,
        batch_size: int,
        key: str,
        window: int = 8,
    ) -> None:
        self._buckets = [nearest_buckets(each, buckets) for each in sizes]
        self._counts = np.array(
            [np.bincount(each, minlength=len(buckets)) for each in self._buckets], dtype=np.int64
        )
        self._batch, self._key, self._window = batch_size, key, window
        self._epochs: list[int] = [0]
        if not self._batches(0).sum():
            total = int(self._counts.sum())
            raise InputError(
                f"{total} images do not fill one batch of {batch_size} in any of "
                f"{len(buckets)} bucket(s); choose a smaller batch_size"
            )

    def batch(self, step: int) -> tuple[int, list[tuple[int, int]]]:
        """Return the bucket of a step's batch and its samples as (shard, row)."""
        while self._epochs[-1] <= step:
            more = int(self._batches(len(self._epochs) - 1).sum())
            self._epochs.append(self._epochs[-1] + max(1, more))
        epoch = int(np.searchsorted(self._epochs, step, side="right")) - 1
        inside = step - self._epochs[epoch]
        ends = np.cumsum(self._batches(epoch))
        window = int(np.searchsorted(ends, inside, side="right"))
        inside -= int(ends[window - 1]) if window else 0
        return self._batches_of_window(epoch, window)[inside]

    def left_out(self) -> float:
        """Return the share of samples that the first epoch leaves out."""
        return 1 - float(self._batches(0).sum()) * self._batch / float(self._counts.sum())

    def _shards(self, epoch: int) -> list[Ints]:
        order = self._rng(epoch).permutation(len(self._buckets))
        return [order[at : at + self._window] for at in range(0, len(order), self._window)]

    def _batches(self, epoch: int) -> Ints:
        """Return the number of batches in each window of an epoch."""
        each = [(self._counts[w].sum(axis=0) // self._batch).sum() for w in self._shards(epoch)]
        return np.array(each, dtype=np.int64)

    def _batches_of_window(
        self, epoch: int, window: int
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        if getattr(self, "_held", None) != (epoch, window):
            self._held, self._plan = (epoch, window), self._planned(epoch, window)
        return self._plan

    def _planned(self, epoch: int, window: int) -> list[tuple[int, list[tuple[int, int]]]]:
        rng = self._rng(epoch, window)
        samples: dict[int, list[tuple[int, int]]] = {}
        for shard in self._shards(epoch)[window]:
            for row, bucket in enumerate(self._buckets[shard].tolist()):
                samples.setdefault(bucket, []).append((int(shard), row))
        plan = []
        for bucket in sorted(samples):
            rows = [samples[bucket][i] for i in rng.permutation(len(samples[bucket]))]
            whole = len(rows) // self._batch * self._batch
            plan += [(bucket, rows[at : at + self._batch]) for at in range(0, whole, self._batch)]
        return [plan[i] for i in rng.permutation(len(plan))]

    def _rng(self, *place: int) -> np.random.Generator:
        digest = hashlib.sha256("\n".join(map(str, (self._key, *place))).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def content_key(*parts: bytes | str) -> bytes:
    """Return a 16-byte key of some content, for a cache."""
    joined = b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)
    return bytes.fromhex(sha256_of_bytes(joined))[:16]
