"""The denoising U-Net: diffusers' own, in named sizes from two CPU cores to Emu's 2.8 B.

Blocks with cross-attention stand at every resolution but the finest, where they are dear. Widths
are ours: Emu states the number of parameters and no widths (`nn.architecture.UNET_SIZES`).
"""

from __future__ import annotations

from typing import Any

from diffusers import UNet2DConditionModel

from models_backend.errors import InputError
from models_backend.nn.architecture import UNET_GROUPS, UNetConfig


def build_unet(
    config: UNetConfig,
    *,
    latent_channels: int,
    text_width: int,
    encoders: int = 1,
    beside: int = 0,
    told: int = 0,
) -> UNet2DConditionModel:
    """Return a freshly initialised denoiser for (B, latent_channels, h, w) latents.

    Beside the latents it may be shown `beside` more channels, and be told `told` more numbers after
    the sentence vector.

    `text_width` is that of the text tokens; see :class:`~models_backend.nn.text.TextEncoder` for
    how two encoders share it.

    Raises:
        InputError: two encoders and no width to project them to.
    """
    if encoders > 1 and not config.text_width:
        raise InputError("unet.text_width is 0: two text encoders need a width to be projected to")
    coarse = len(config.widths) - 1
    down = ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * coarse
    up = ("CrossAttnUpBlock2D",) * coarse + ("UpBlock2D",)
    heads = config.heads_per_level
    settings: dict[str, Any] = {
        "in_channels": latent_channels + beside,
        "out_channels": latent_channels,
        "block_out_channels": config.widths,
        "layers_per_block": config.layers,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": config.text_width or text_width,
        # diffusers reads this as the number of heads, whatever its name says.
        "attention_head_dim": heads if config.head_width else config.heads,
        "norm_num_groups": UNET_GROUPS,
    }
    if config.text_width:
        settings |= {"encoder_hid_dim": text_width, "encoder_hid_dim_type": "text_proj"}
    if config.sentence_vector or told:
        # The sentence vector joins the time embedding: what to show is known at every resolution.
        settings |= {
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": text_width * config.sentence_vector + told,
        }
    if config.transformer_layers:
        settings |= {
            "transformer_layers_per_block": config.transformer_layers,
            "use_linear_projection": True,
        }
    return UNet2DConditionModel(**settings)
