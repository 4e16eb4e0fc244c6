"""The autoencoder: images to a small grid of latent channels and back.

Emu raises the latent channels from 4 to 16 because 4 lose fine detail, and lifts the input by a
fixed Fourier-feature transform (arXiv 2309.15807, section on architecture). Widths, blocks and
frequencies are ours: the paper does not state them. The `folded` kind's first layer folds pixels
into channels, so that no convolution runs at full resolution for factor 8: on a CPU that decides
whether training is possible at all.

Shapes: x (B, 3, H, W) in [-1, 1], H and W multiples of f = factor; z (B, latent_channels, H/f,
W/f). What is decoded has four channels where the configuration says `alpha` (`nn.transparency`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.nn.architecture import AUTOENCODER_GROUPS, AutoencoderConfig

_MIN_LOGVAR, _MAX_LOGVAR = -12.0, 6.0


class FourierFeatures(nn.Module):
    """x -> (x, sin(pi f x), cos(pi f x) for each f): (B, 3, H, W) to (B, 3 + 6 F, H, W).

    Pixel by pixel on their values, as Kingma et al. 2021 (arXiv 2107.00630) feed them to a
    denoiser: small differences in value become large ones. The frequencies are a buffer, never
    trained, and kept out of the weights: the configuration holds them.
    """

    frequencies: Tensor

    def __init__(self, frequencies: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.tensor(frequencies), persistent=False)
        self.channels = 3 + 6 * len(frequencies)

    def forward(self, x: Tensor) -> Tensor:
        angles = (math.pi * x[:, None] * self.frequencies.view(1, -1, 1, 1, 1)).flatten(1, 2)
        return torch.cat([x, angles.sin(), angles.cos()], dim=1)


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
        frequencies = config.fourier_frequencies
        self.input_features = FourierFeatures(frequencies) if frequencies else None
        if config.kind == "kl":
            self.kl = _diffusers_autoencoder(config)
        else:
            channels = self.input_features.channels if self.input_features else 3
            latents = config.latent_channels
            self.encoder = folded_encoder(config, channels, 2 * latents)
            self.decoder = folded_decoder(config, latents, out=config.out_channels)

    @property
    def decoder_network(self) -> nn.Module:
        """What makes images, of either kind."""
        network: nn.Module = self.kl.decoder if self.config.kind == "kl" else self.decoder
        return network

    @property
    def last_convolution(self) -> nn.Conv2d:
        """The decoder's last convolution."""
        if self.config.kind == "kl":
            last: nn.Conv2d = self.kl.decoder.conv_out
            return last
        return last_convolution(self.decoder)

    @property
    def last_layer(self) -> Tensor:
        """Weight of the decoder's last convolution: where adversarial losses are balanced."""
        return self.last_convolution.weight

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent Gaussian, each (B, Z, H/f, W/f)."""
        if self.config.kind == "kl":
            moments = self.kl.quant_conv(self.kl.encoder(x))
        else:
            moments = self.encoder(x if self.input_features is None else self.input_features(x))
        mean, logvar = moments.chunk(2, dim=1)
        return mean, logvar.clamp(_MIN_LOGVAR, _MAX_LOGVAR)

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, 3, H, W), about in [-1, 1]; clamp before showing them.

        With `alpha` (B, 4, H, W): colours as if nothing were transparent, and alpha, -1 for clear.
        """
        painted = self.painted(z)
        return taken_off_white(painted) if self.config.painted_on_white else painted

    def painted(self, z: Tensor) -> Tensor:
        """Return what the decoder itself makes; `painted_on_white` says how colours lie in it."""
        if self.config.kind == "kl":
            images: Tensor = self.kl.decoder(self.kl.post_quant_conv(z))
        else:
            images = self.decoder(z)
        return images

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images (B, 3, H, W) taken apart and put together again, nothing drawn."""
        return self.decode(self.encode(x)[0])

    def training_pass(
        self, x: Tensor, noise: Callable[[tuple[int, ...]], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return x (B, 3, H, W) as decoded from drawn latents, and their KL divergence (B,).

        `noise` gives normal noise for each image, of the shape it is told.
        """
        mean, logvar = self.encode(x)
        y = self.decode(mean + noise(tuple(mean.shape[1:])) * (0.5 * logvar).exp())
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean(dim=(1, 2, 3))
        return y, kl


_CLEAR = 1 / 255


def taken_off_white(painted: Tensor) -> Tensor:
    """Return colours on white with their alpha (B, 4, H, W) as colours without the white.

    White shows by 1 - alpha, so a colour on it is never darker than that. Where alpha is less than
    a step of 8 bits, colours are white.
    """
    shares = (painted + 1) / 2
    alpha = shares[:, 3:].clamp(0, 1)
    own = torch.minimum((shares[:, :3] - (1 - alpha)).clamp_min(0), alpha)
    colour = torch.where(alpha > _CLEAR, own / alpha.clamp_min(_CLEAR), 1.0)
    return torch.cat([colour, alpha], dim=1) * 2 - 1


class Folded(Protocol):
    """Widths and depths of a folded encoder and decoder; see `AutoencoderConfig`."""

    @property
    def outer_width(self) -> int: ...
    @property
    def inner_width(self) -> int: ...
    @property
    def blocks(self) -> int: ...
    @property
    def factor(self) -> int: ...


def folded_encoder(config: Folded, channels: int, out: int) -> nn.Sequential:
    """Return a network from (B, channels, H, W) to (B, out, H/f, W/f)."""
    outer, inner, fold = config.outer_width, config.inner_width, config.factor // 2
    return nn.Sequential(
        nn.PixelUnshuffle(fold),
        nn.Conv2d(channels * fold**2, outer, 3, padding=1),  # (B, outer, 2H/f, 2W/f)
        *(ResidualBlock(outer) for _ in range(config.blocks)),
        nn.Conv2d(outer, inner, 3, stride=2, padding=1),  # (B, inner, H/f, W/f)
        *(ResidualBlock(inner) for _ in range(config.blocks)),
        nn.GroupNorm(AUTOENCODER_GROUPS, inner),
        nn.SiLU(),
        nn.Conv2d(inner, out, 1),
    )


def folded_decoder(config: Folded, channels: int, *, out: int = 3) -> nn.Sequential:
    """Return a network from (B, channels, H/f, W/f) to images (B, out, H, W)."""
    outer, inner = config.outer_width, config.inner_width
    return nn.Sequential(
        nn.Conv2d(channels, inner, 3, padding=1),
        *(ResidualBlock(inner) for _ in range(config.blocks)),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(inner, outer, 3, padding=1),  # (B, outer, 2H/f, 2W/f)
        *(ResidualBlock(outer) for _ in range(config.blocks)),
        nn.GroupNorm(AUTOENCODER_GROUPS, outer),
        nn.SiLU(),
        *_unfold(outer, config.factor, out),  # (B, out, H, W)
    )


def _unfold(width: int, factor: int, out: int) -> list[nn.Module]:
    """From `width` channels at 2/f of the side to `out` at full resolution."""
    if factor == 2:
        return [nn.Conv2d(width, out, 3, padding=1)]
    if factor == 4:
        return [nn.Conv2d(width, 4 * out, 3, padding=1), nn.PixelShuffle(2)]
    return [
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.PixelShuffle(2),  # (B, width/2, H/2, W/2)
        nn.SiLU(),
        nn.Conv2d(width // 2, 4 * out, 3, padding=1),
        nn.PixelShuffle(2),
    ]


def last_convolution(decoder: nn.Sequential) -> nn.Conv2d:
    """Return where adversarial losses are balanced."""
    return [layer for layer in decoder if isinstance(layer, nn.Conv2d)][-1]


def _diffusers_autoencoder(config: AutoencoderConfig) -> Any:
    from diffusers import AutoencoderKL

    levels = len(config.widths)
    return AutoencoderKL(
        out_channels=config.out_channels,
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        latent_channels=config.latent_channels,
        norm_num_groups=AUTOENCODER_GROUPS,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        scaling_factor=1.0,
    )
