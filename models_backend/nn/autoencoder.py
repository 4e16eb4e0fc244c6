"""The autoencoder: images to a small grid of latent channels and back, factor 8 a side.

Emu raises the latent channels from 4 to 16 because 4 lose fine detail (arXiv 2309.15807, section on
architecture); `latent_channels` is that knob. Widths and blocks are ours: the paper does not state
them. The first layer folds 4 x 4 pixels into channels, so that no convolution runs at full
resolution: on a CPU that decides whether training is possible at all.

Shapes: x (B, 3, H, W) in [-1, 1] with H and W multiples of 8; z (B, latent_channels, H/8, W/8).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.nn.architecture import AUTOENCODER_GROUPS, AutoencoderConfig

FACTOR = 8
_MIN_LOGVAR, _MAX_LOGVAR = -12.0, 6.0


class ResidualBlock(nn.Module):
    """Norm, convolve, twice, and add: (B, C, H, W) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(AUTOENCODER_GROUPS, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(AUTOENCODER_GROUPS, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


class Autoencoder(nn.Module):
    """Encoder to a diagonal Gaussian, decoder back to pixels."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        outer, inner, blocks = config.outer_width, config.inner_width, config.blocks
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),  # (B, 48, H/4, W/4)
            nn.Conv2d(48, outer, 3, padding=1),
            *(ResidualBlock(outer) for _ in range(blocks)),
            nn.Conv2d(outer, inner, 3, stride=2, padding=1),  # (B, inner, H/8, W/8)
            *(ResidualBlock(inner) for _ in range(blocks)),
            nn.GroupNorm(AUTOENCODER_GROUPS, inner),
            nn.SiLU(),
            nn.Conv2d(inner, 2 * config.latent_channels, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_channels, inner, 3, padding=1),
            *(ResidualBlock(inner) for _ in range(blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(inner, outer, 3, padding=1),  # (B, outer, H/4, W/4)
            *(ResidualBlock(outer) for _ in range(blocks)),
            nn.GroupNorm(AUTOENCODER_GROUPS, outer),
            nn.SiLU(),
            nn.Conv2d(outer, 2 * outer, 3, padding=1),
            nn.PixelShuffle(2),  # (B, outer/2, H/2, W/2)
            nn.SiLU(),
            nn.Conv2d(outer // 2, 12, 3, padding=1),
            nn.PixelShuffle(2),  # (B, 3, H, W)
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent Gaussian, each (B, Z, H/8, W/8)."""
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        return mean, logvar.clamp(_MIN_LOGVAR, _MAX_LOGVAR)

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, 3, H, W), about in [-1, 1]; clamp before showing them."""
        images: Tensor = self.decoder(z)
        return images

    def loss(
        self, x: Tensor, *, kl_weight: float, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Reconstruction (L1 + L2) plus weighted KL to a unit Gaussian, as one scalar."""
        mean, logvar = self.encode(x)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        y = self.decode(mean + noise * (0.5 * logvar).exp())
        error = y - x
        reconstruction = error.abs().mean() + error.square().mean()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        scalars = {"reconstruction": reconstruction.item(), "kl": kl.item()}
        return reconstruction + kl_weight * kl, scalars

    def config_dict(self) -> dict[str, Any]:
        return asdict(self.config)


def psnr(x: Tensor, y: Tensor) -> float:
    """Mean peak signal-to-noise ratio in dB of images (B, 3, H, W) in [-1, 1], y clamped."""
    error = ((y.clamp(-1, 1) - x) / 2).square().mean(dim=(1, 2, 3))
    return float((-10 * error.clamp_min(1e-10).log10()).mean())
