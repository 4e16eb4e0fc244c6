"""Soft-label Bradley-Terry: heads, their one optimum where they are linear, and calibration.

Preference of image 0 over image 1 has the probability sigmoid(r0 - r1) (Bradley and Terry 1952);
the label is the share of votes for image 0, a tie counting half.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_ITERATIONS = 100
_ENDS = (0.05, 20.0)
"""Between which a temperature lies, in spreads of the differences."""


def bradley_terry(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Return each pair's cross-entropy (N,) for rewards (N,) and votes' shares (N,) in [0, 1]."""
    return F.binary_cross_entropy_with_logits(first - second, share.to(first), reduction="none")


def fit_linear(difference: Tensor, share: Tensor, weight: Tensor, *, l2: float) -> Tensor:
    """Return w (F,) that minimises sum(weight * cross-entropy) + l2 / 2 |w|^2.

    By Newton's method with halved steps, in double precision.

    Args:
        difference: (N, F), features of image 0 minus those of image 1.
        share: (N,), of votes for image 0.
        weight: (N,).
        l2: above 0, so that there is one optimum.
    """
    x, y, s = difference.double(), share.double(), weight.double()
    w = x.new_zeros(x.shape[1])

    def objective(w: Tensor) -> float:
        cross = F.binary_cross_entropy_with_logits(x @ w, y, reduction="none")
        return float((s * cross).sum() + l2 / 2 * w.square().sum())

    best = objective(w)
    for _ in range(_ITERATIONS):
        p = torch.sigmoid(x @ w)
        gradient = x.T @ (s * (p - y)) + l2 * w
        hessian = x.T @ (x * (s * p * (1 - p))[:, None])
        hessian.diagonal().add_(l2)
        step = torch.linalg.solve(hessian, gradient)
        scale = 1.0
        while objective(w - scale * step) > best and scale > 1e-6:
            scale /= 2
        w = w - scale * step
        best = objective(w)
        if float(step.abs().max()) * scale < 1e-10:
            break
    return w.float()


def fit_temperature(difference: Tensor, share: Tensor, weight: Tensor) -> float:
    """Return the temperature of least cross-entropy of differences (N,) of raw rewards.

    A search by golden section over its logarithm; without pairs, or where all differences are 0,
    it is 1.
    """
    if not len(difference) or float(difference.abs().max()) == 0:
        return 1.0
    x, y, s = difference.double(), share.double(), weight.double()
    unit = float(x.square().mean().sqrt())

    def loss(log_t: float) -> float:
        cross = F.binary_cross_entropy_with_logits(x / math.exp(log_t), y, reduction="none")
        return float((s * cross).sum())

    low, high = (math.log(end * unit) for end in _ENDS)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return math.exp((low + high) / 2)


def accuracy(difference: Tensor, share: Tensor) -> float | None:
    """Return the share of decided pairs whose preferred image has the higher reward; None of none.

    Equal rewards count half.
    """
    decided = share != 0.5
    if not bool(decided.any()):
        return None
    wanted = (share[decided] > 0.5).float() * 2 - 1
    right = torch.sign(difference[decided].float()) * wanted
    return float(((right + 1) / 2).mean())
