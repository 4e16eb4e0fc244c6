"""How pictures are compared where a family has no latents of its own: fixed filters and colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.nn.adversary import GaborFeatures

_GRID = 4
_AT_ONCE = 64


@torch.no_grad()
def plain_features(pixels: Tensor, device: torch.device) -> Tensor:
    """Return (N, F), on the CPU, of bytes (N, 3, H, W).

    In each cell of a coarse grid the mean and the spread of each colour, and for the whole picture
    the log energies of edges and texture by scale, colour and orientation. Nothing is trained.
    """
    filters = GaborFeatures().to(device)
    parts = []
    for part in pixels.split(_AT_ONCE):
        x = part.to(device).float() / 127.5 - 1
        mean = F.adaptive_avg_pool2d(x, _GRID)
        spread = (F.adaptive_avg_pool2d(x.square(), _GRID) - mean.square()).clamp_min(0).sqrt()
        colours = torch.cat([mean, spread], dim=1).flatten(1)
        parts.append(torch.cat([colours, 0.25 * filters.energies_of_every_scale(x)], dim=1).cpu())
    return torch.cat(parts)
