"""The denoising U-Net: diffusers' own, in sizes that fit two CPU cores.

Down blocks with cross-attention stand only at the coarser resolution, where they are cheap. Widths
are ours: Emu states 2.8 B parameters and no widths.
"""

from __future__ import annotations

from typing import Any

from diffusers import UNet2DConditionModel

from models_backend.nn.architecture import UNET_GROUPS, UNetConfig


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
        # The sentence vector joins the time embedding: what to draw is known at every resolution.
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": text_width,
        # diffusers reads this as the number of heads, whatever its name says.
        "attention_head_dim": config.heads,
        "norm_num_groups": UNET_GROUPS,
    }
    return UNet2DConditionModel(**settings)
