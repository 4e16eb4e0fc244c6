"""Agreement of two sets of images, pair by pair: images (B, 3, H, W) in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SIGMA, _WINDOW = 1.5, 11
_C1, _C2 = 0.01**2, 0.03**2


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Return each pair's peak signal-to-noise ratio in dB, (B,); y is clamped, 100 dB at most."""
    error = ((y.clamp(-1, 1) - x) / 2).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return each pair's structural similarity, (B,), 1 for equal images; y is clamped.

    Wang et al. 2004: Gaussian window of 11 pixels and sigma 1.5, K1 0.01, K2 0.03, population
    statistics, mean over the colours and over the places where the window fits whole.

    Raises:
        ValueError: images smaller than the window.
    """
    if min(x.shape[2:]) < _WINDOW:
        raise ValueError(f"images of {tuple(x.shape[2:])}: SSIM needs {_WINDOW} pixels a side")
    a, b = (x.double() + 1) / 2, (y.double().clamp(-1, 1) + 1) / 2
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (var_a + var_b + _C2)
    return (likeness * structure).mean(dim=(1, 2, 3))


def _blur(x: Tensor) -> Tensor:
    axis = torch.arange(_WINDOW, dtype=x.dtype, device=x.device) - _WINDOW // 2
    line = torch.exp(-axis.square() / (2 * _SIGMA**2))
    line = line / line.sum()
    channels = x.shape[1]
    rows = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    columns = line.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return F.conv2d(F.conv2d(x, rows, groups=channels), columns, groups=channels)


def sharpness(x: Tensor) -> Tensor:
    """Return each image's mean absolute Laplacian of brightness, (B,): more where edges are."""
    grey = x.mean(dim=1, keepdim=True)
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=x.device)
    return F.conv2d(grey, kernel.view(1, 1, 3, 3)).abs().mean(dim=(1, 2, 3))


def background_dirt(x: Tensor) -> Tensor:
    """Return how far each image's rim strays from white, (B,): 0 is a clean sheet, 1 a black one.

    The rim is two pixels wide: the drawings here stand on white and rarely touch it.
    """
    rim = torch.ones(x.shape[2:], dtype=torch.bool, device=x.device)
    rim[2:-2, 2:-2] = False
    dark = (1 - x.clamp(-1, 1)) / 2
    return dark[..., rim].mean(dim=(1, 2))
