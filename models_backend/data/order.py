"""The order in which a run takes captioned images. No torch here.

It is a function of (seed, stage, step): no buffer has to be filled and no position stored, so a
run resumes in the middle of an epoch by computing where it is.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from models_backend.data.pictures import nearest_buckets
from models_backend.errors import InputError

Ints = npt.NDArray[np.int64]


class BatchOrder:
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
