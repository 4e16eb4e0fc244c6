"""What a reward sees of an image without any trained network. Differentiable in the pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.nn.adversary import GaborFeatures

_GRID = 2
_TINY = 1e-6


class FixedFeatures(nn.Module):
    """Colours in a coarse grid, whole-image measures, energies of edges and texture.

    Images of any size (B, 3, H, W) in [-1, 1] become (B, `width`); each is looked at with `size`
    pixels a side, so that how large it is says nothing.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.filters = GaborFeatures()
        with torch.no_grad():
            self.width = self(torch.zeros(1, 3, size, size)).shape[1]

    def forward(self, x: Tensor, prompts: object = None) -> Tensor:
        """Return features (B, width); prompts are not looked at."""
        x = resized(x, self.size)
        mean = F.adaptive_avg_pool2d(x, _GRID)
        square = F.adaptive_avg_pool2d(x.square(), _GRID)
        spread = ((square - mean.square()).clamp_min(0) + _TINY).sqrt()
        whole = torch.stack(list(measures(x).values()), dim=1)
        grid = torch.cat([mean, spread], dim=1).flatten(1)
        return torch.cat([grid, whole, 0.25 * self.filters.energies(x)], dim=1)


def resized(x: Tensor, size: int) -> Tensor:
    """Return images (B, 3, H, W) at `size` pixels a side."""
    if x.shape[2:] == (size, size):
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)


def measures(x: Tensor) -> dict[str, Tensor]:
    """Return simple measures (B,) of images (B, 3, H, W) in [-1, 1], by name.

    Colourfulness as Hasler and Süsstrunk (2003), in units of [0, 1] pixels; sharpness is the mean
    absolute Laplacian of brightness; contrast its standard deviation.
    """
    rgb = (x + 1) / 2
    red, green, blue = rgb.unbind(dim=1)
    one, two = red - green, (red + green) / 2 - blue
    spread = (_variance(one) + _variance(two) + _TINY).sqrt()
    middle = (one.mean(dim=(1, 2)).square() + two.mean(dim=(1, 2)).square() + _TINY).sqrt()
    grey = rgb.mean(dim=1, keepdim=True)
    kernel = x.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]).view(1, 1, 3, 3)
    return {
        "colourfulness": spread + 0.3 * middle,
        "contrast": (_variance(grey[:, 0]) + _TINY).sqrt(),
        "sharpness": F.conv2d(grey, kernel).abs().mean(dim=(1, 2, 3)),
        "brightness": grey.mean(dim=(1, 2, 3)),
    }


def _variance(plane: Tensor) -> Tensor:
    return plane.var(dim=(1, 2), unbiased=False)
