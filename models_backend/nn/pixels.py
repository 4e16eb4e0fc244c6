"""Pictures as bytes and as the floats that networks take."""

from __future__ import annotations

import torch
from torch import Tensor


def to_unit_range(pictures: Tensor) -> Tensor:
    """Bytes to floats in [-1, 1], laid out as CPU convolutions like them."""
    return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
