"""The denoising U-Net: diffusers' own, in sizes that fit two CPU cores.

Down blocks with cross-attention stand only at the coarser resolution, where they are cheap. Widths
are ours: Emu states 2.8 B parameters and no widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers import UNet2DConditionModel

from models_backend.errors import InputError

_GROUPS = 16


@dataclass(frozen=True)
class UNetConfig:
    """Architecture of the denoiser."""

    widths: tuple[int, ...] = (80, 112)
    """Channels at each resolution, finest first; multiples of 16."""
    layers: int = 1
    """Residual blocks at each resolution, 1 to 8."""
    heads: int = 4
    """Attention heads; a divisor of every width."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 2 <= len(self.widths) <= 6:
            raise InputError(f"unet widths {list(self.widths)}: give 2 to 6 resolutions")
        for width in self.widths:
            if width % _GROUPS or width % self.heads or not 16 <= width <= 4096:
                raise InputError(
                    f"unet width {width}: accepted are multiples of 16 and of heads up to 4096"
                )
        if not 1 <= self.layers <= 8:
            raise InputError(f"unet layers {self.layers}: accepted are 1 to 8")


def build_unet(
    config: UNetConfig, *, latent_channels: int, text_width: int
) -> UNet2DConditionModel:
    """Return a freshly initialised denoiser for (B, latent_channels, h, w) latents."""
    coarse = len(config.widths) - 1
    down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * coarse
    up = ("CrossAttnUpBlock2D",) * coarse + ("UpBlock2D",)
    settings: dict[str, Any] = {
        "in_channels": latent_channels,
        "out_channels": latent_channels,
        "block_out_channels": config.widths,
        "layers_per_block": config.layers,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": text_width,
        # diffusers reads this as the number of heads, whatever its name says.
        "attention_head_dim": config.heads,
        "norm_num_groups": _GROUPS,
    }
    return UNet2DConditionModel(**settings)
