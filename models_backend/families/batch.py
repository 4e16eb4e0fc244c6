"""What recipes hand a family to train on: the one place that names a batch's keys."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from models_backend.nn.text_rows import TextEmbedding


class TrainingBatch(TypedDict):
    """B examples of a step, with all the randomness that their losses need.

    A recipe makes the random numbers, row by row (`training.randomness`), so that neither the
    number of processes nor the size of a micro-batch changes them. A family draws none of its own.
    """

    z: Tensor
    """(B, ...): what `Family.prepare` gave; on the device where the loss is computed."""
    tokens: Tensor
    """(B, L, W): the captions' token embeddings. With `mask` and `pooled` on any device."""
    mask: Tensor
    """(B, L), bool: which tokens are read."""
    pooled: Tensor
    """(B, W): the captions' sentence vectors."""
    noise: Tensor
    """(B, ...), shaped as `Family.noise_shape` says: standard normal, with the recipe's noise
    offset added already."""
    u: Tensor
    """(B,), uniform in [0, 1): where each example lies between image and noise."""
    v: Tensor
    """(B,), uniform in [0, 1) and independent of `u`, for a family that draws one thing more."""
    framing: Tensor | None
    """(B, 4), whole numbers: each picture's own height and width, and the top and left of what is
    seen of it once scaled (`data.pictures.Framing`). None: all of pictures of the size trained."""


def training_batch(
    z: Tensor,
    text: TextEmbedding,
    noise: Tensor,
    u: Tensor,
    v: Tensor | None = None,
    framing: Tensor | None = None,
) -> TrainingBatch:
    """Return the batch of latents (or pixels) `z` with their captions `text`, noise and times.

    Without `v` it is one half everywhere.
    """
    return {
        "z": z,
        "tokens": text.tokens,
        "mask": text.mask,
        "pooled": text.pooled,
        "noise": noise,
        "u": u.to(z.device),
        "framing": framing,
        "v": (torch.full_like(u, 0.5) if v is None else v).to(z.device),
    }
