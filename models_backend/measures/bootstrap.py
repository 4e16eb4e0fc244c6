"""Percentile bootstrap over groups: whoever shares a caption or a concept is drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def verdict(self) -> str:
        """Return whether a difference is above zero: `yes`, `no`, or `cannot be told`."""
        if self.low > 0:
            return "yes"
        return "no" if self.high < 0 else "cannot be told"


def mean_interval(
    values: NDArray[np.floating], groups: Sequence[object], rng: np.random.Generator
) -> Interval:
    """Return the mean of values (N,) and its interval when the N groups' members go together.

    For a difference of two models give the differences image by image: the pairs stay together.

    Raises:
        ValueError: no values, or another number of groups.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or len(groups) != len(values):
        raise ValueError(f"{values.shape} values and {len(groups)} groups: give as many of both")
    names = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    index = np.array([names[name] for name in groups])
    sums = np.bincount(index, values, len(names))
    counts = np.bincount(index, minlength=len(names))
    drawn = rng.integers(len(names), size=(DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))
