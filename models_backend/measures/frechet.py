"""The Fréchet distance of two sets of feature vectors (Dowson and Landau 1982)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, D) and (M, D).

    The value depends on the features; it is comparable among runs with the same ones only, and is
    not FID, whose features are those of one Inception network.

    Raises:
        ValueError: fewer than two vectors, or different widths.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(a), len(b)) < 2 or a.shape[1:] != b.shape[1:] or a.ndim != 2:
        raise ValueError(f"features {a.shape} and {b.shape}: give two or more rows of equal width")
    gap = a.mean(axis=0) - b.mean(axis=0)
    first = np.atleast_2d(np.cov(a, rowvar=False))
    second = np.atleast_2d(np.cov(b, rowvar=False))
    # tr (C1 C2)^(1/2) = tr (S C2 S)^(1/2) with S = C1^(1/2): symmetric, so no complex numbers.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    crossed = np.linalg.eigvalsh(root @ second @ root)
    trace = np.trace(first) + np.trace(second) - 2 * np.sqrt(crossed.clip(0)).sum()
    return float(max(0.0, gap @ gap + trace))
