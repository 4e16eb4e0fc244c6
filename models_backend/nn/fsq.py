"""A tokenizer: images to a small grid of discrete codes and back, without a codebook.

Finite scalar quantisation (Mentzer et al. 2023, arXiv 2309.15505): a few channels, each rounded to
one of its levels. Nothing can collapse, as there is no codebook to fall out of use. Muse has a
VQGAN here; this one is easier to train, and that choice is ours.

Shapes: x (B, 3, H, W) in [-1, 1]; levels (B, N, D), N = H/f * W/f tokens of D channels each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models_backend.nn.architecture import TokenizerConfig
from models_backend.nn.autoencoder import folded_decoder, folded_encoder, last_convolution


class Tokenizer(nn.Module):
    """Encoder to rounded channels, decoder back to pixels."""

    counts: Tensor

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        channels = len(config.levels)
        self.encoder = folded_encoder(config, 3, channels)
        self.decoder = folded_decoder(config, channels)
        counts = torch.tensor(config.levels, dtype=torch.float32)
        self.register_buffer("counts", counts, persistent=False)

    @property
    def last_layer(self) -> Tensor:
        """Weight of the decoder's last convolution: where adversarial losses are balanced."""
        weight: Tensor = last_convolution(self.decoder).weight
        return weight

    def training_pass(
        self, x: Tensor, noise: Callable[[tuple[int, ...]], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return x as decoded from its rounded code, and (B,) of zeros: a code costs nothing.

        Rounding passes the gradient on as it is (straight-through).
        """
        bound = self._bound(self.encoder(x))
        code = bound + (bound.round() - bound).detach()
        return self.decoder(self._scaled(code)), x.new_zeros(len(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images (B, 3, H, W) taken to tokens and back."""
        height, width = x.shape[2] // self.config.factor, x.shape[3] // self.config.factor
        return self.decode(self.encode(x), height, width)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the levels (B, N, D) of images, int64: channel d in [0, levels[d])."""
        rounded = self._bound(self.encoder(x)).round()
        levels = rounded + (self.counts // 2).view(1, -1, 1, 1)
        return levels.flatten(2).transpose(1, 2).long()

    def decode(self, levels: Tensor, height: int, width: int) -> Tensor:
        """Return images (B, 3, H, W), about in [-1, 1], of a grid of height x width tokens."""
        rounded = levels.to(self.counts.dtype) - self.counts // 2
        grid = rounded.transpose(1, 2).unflatten(2, (height, width))
        images: Tensor = self.decoder(self._scaled(grid).to(self.last_layer.dtype))
        return images

    def _bound(self, z: Tensor) -> Tensor:
        """Squash channels so that rounding gives each exactly its number of levels."""
        half = ((self.counts - 1) * (1 + 1e-3) / 2).view(1, -1, 1, 1)
        offset = torch.where(self.counts % 2 == 0, 0.5, 0.0).view(1, -1, 1, 1)
        shift = (offset / half).atanh()
        return (z + shift).tanh() * half - offset

    def _scaled(self, code: Tensor) -> Tensor:
        return code / (self.counts // 2).view(1, -1, 1, 1)
