"""Tail probabilities of sums of independent discrete scores, for many sums at once.

The saddlepoint approximation of Lugannani and Rice (1980), Advances in Applied Probability
12:475-490: its relative error is a few per cent far out in the tail, where a normal approximation
is wrong by powers of ten.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from ..inference.clustering import FloatArray
from ..votes.chunking import row_sums
from ..votes.columns import IntColumn
from .leave_one_out import sums_by

_ROUNDS = 60
_STEP = 1.0  # at most, of the tilt, a round
_SMALLEST = 1e-300


def upper_tails(
    group: IntColumn,
    chance: FloatArray,
    score: FloatArray,
    at_least: FloatArray,
    *,
    step: float = 0.0,
) -> FloatArray:
    """P(sum >= at_least) of each group; 1 for a sum at or below its mean.

    Row i adds `score[i, v]` to the sum of `group[i]` with probability `chance[i, v]`. The largest
    sum there is has its exact probability. `step`: of what all scores are whole multiples; 0 where
    they are of nothing.

    >>> two = upper_tails(np.array([0, 0]), np.full((2, 2), 0.5), np.array([[0.0, 1.0]] * 2),
    ...                   np.array([2.0]))
    >>> two.tolist()
    [0.25]
    """
    n = len(at_least)
    mean = sums_by(group, row_sums(chance * score), n)
    best = score.max(axis=1)
    most = sums_by(group, best, n)
    above = at_least > mean + 1e-9
    largest = above & (at_least >= most - 1e-9)
    inside = above & ~largest
    tails = np.ones(n)
    is_best = score >= best[:, None] - 1e-12
    top = np.log(np.maximum(row_sums(chance * is_best), _SMALLEST))
    tails[largest] = np.exp(sums_by(group, top, n))[largest]
    rows = inside[group]
    if rows.any():
        tilted = _lugannani_rice(group[rows], chance[rows], score[rows], at_least, inside, step)
        tails[inside] = tilted[inside]
    return tails


def _lugannani_rice(
    group: IntColumn,
    chance: FloatArray,
    score: FloatArray,
    at_least: FloatArray,
    inside: np.ndarray,
    lattice: float,
) -> FloatArray:
    n, tilt = len(at_least), np.zeros(len(at_least))
    for _ in range(_ROUNDS):
        log_total, mean, variance = _tilted(group, chance, score, tilt)
        step = np.clip((at_least - mean) / np.maximum(variance, 1e-12), -_STEP, _STEP)
        step[~inside] = 0.0
        tilt = np.maximum(tilt + step, 0.0)
        if np.abs(step).max() < 1e-8:
            break
    log_total, _, variance = _tilted(group, chance, score, tilt)
    signed = np.sqrt(np.maximum(2.0 * (tilt * at_least - log_total), 0.0))
    slope = -np.expm1(-tilt * lattice) / lattice if lattice else tilt
    scaled = slope * np.sqrt(np.maximum(variance, _SMALLEST))
    usable = inside & (signed > 1e-4) & (scaled > 1e-12)
    tails = np.full(n, 0.5)
    w, u = signed[usable], scaled[usable]
    density = np.exp(-(w**2) / 2.0) / np.sqrt(2.0 * np.pi)
    tails[usable] = np.clip(special.ndtr(-w) + density * (1.0 / u - 1.0 / w), _SMALLEST, 1.0)
    return tails


def _tilted(
    group: IntColumn, chance: FloatArray, score: FloatArray, tilt: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each sum under its tilt: the cumulant generating function, mean and variance."""
    n = len(tilt)
    weight = chance * np.exp(np.clip(tilt[group][:, None] * score, -500.0, 500.0))
    total = row_sums(weight)
    weight /= total[:, None]
    mean = row_sums(weight * score)
    variance = row_sums(weight * score**2) - mean**2
    return (
        sums_by(group, np.log(total), n),
        sums_by(group, mean, n),
        sums_by(group, variance, n),
    )
