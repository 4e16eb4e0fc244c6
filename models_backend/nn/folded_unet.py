"""A U-Net over pixels that may be folded into channels, told how noisy its small image is.

Shapes: images (B, 3, H, W), the same beside them; t (B,) or (); `level` (B,) in [0, 1].
"""

from __future__ import annotations

import math

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.nn.architecture import UNetConfig
from models_backend.nn.text_rows import TextEmbedding
from models_backend.nn.unet import build_unet

_LEVEL_WIDTH = 32


class FoldedUNet(nn.Module):
    """Predicts (B, 3, H, W) from as much, and where it is an upsampler from a small image too."""

    def __init__(
        self, config: UNetConfig, *, unfold: int, upsamples: bool, text_width: int, encoders: int
    ) -> None:
        super().__init__()
        self.config, self.unfold, self.upsamples = config, unfold, upsamples
        channels = 3 * unfold**2
        self.unet: UNet2DConditionModel = build_unet(
            config,
            latent_channels=channels,
            text_width=text_width,
            encoders=encoders,
            beside=channels if upsamples else 0,
            told=_LEVEL_WIDTH if upsamples else 0,
        )

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        text: TextEmbedding,
        *,
        masked: bool,
        small: Tensor | None = None,
        level: Tensor | None = None,
    ) -> Tensor:
        """Return the prediction for noisy x at time t; `small` has the size of x already."""
        told = [text.pooled] if self.config.sentence_vector else []
        if self.upsamples:
            assert small is not None
            assert level is not None
            x = torch.cat([x, small.to(x.dtype)], dim=1)
            told.append(level_embedding(level).to(text.pooled.dtype))
        predicted: Tensor = self.unet(
            F.pixel_unshuffle(x, self.unfold),
            t,
            text.tokens,
            class_labels=torch.cat(told, dim=1) if told else None,
            encoder_attention_mask=text.mask if masked else None,
        ).sample
        return F.pixel_shuffle(predicted, self.unfold)


def level_embedding(level: Tensor) -> Tensor:
    """Return noise levels (B,) in [0, 1] as sines and cosines, (B, 32)."""
    half = _LEVEL_WIDTH // 2
    frequencies = torch.exp(torch.linspace(0, math.log(500.0), half, device=level.device))
    angles = level[:, None].float() * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
