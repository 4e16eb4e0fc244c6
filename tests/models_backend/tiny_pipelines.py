"""Diffusers pipelines with random weights, small enough to draw in a fraction of a second.

As a program (`python -m tests.models_backend.tiny_pipelines NAME FOLDER SEED`) it writes one; see
`tiny_on_disk`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from tests.models_backend.tiny_encoders import LETTERS, clip_config, clip_tokenizer, unet, vae

T5_WIDTH = 32


def t5(folder: Path) -> tuple[Any, Any]:
    """A tokenizer and an encoder that read letters."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *LETTERS]
    tokenizer = transformers.T5TokenizerFast(
        vocab=[(piece, -float(index)) for index, piece in enumerate(pieces)], extra_ids=0
    )
    config = transformers.T5Config(
        vocab_size=len(pieces), d_model=T5_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    return tokenizer, transformers.T5EncoderModel(config)


def latent_vae(channels: int, blocks: int = 2, **settings: object) -> diffusers.AutoencoderKL:
    """An autoencoder of factor 2 ** (blocks - 1)."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * blocks, norm_num_groups=4, latent_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks, **settings,
    )  # fmt: skip


def clip_with_projection() -> transformers.CLIPTextModelWithProjection:
    return transformers.CLIPTextModelWithProjection(clip_config())


def stable_diffusion(folder: Path) -> diffusers.StableDiffusionPipeline:
    return diffusers.StableDiffusionPipeline(
        vae=vae(), unet=unet(cross_attention_dim=16),
        text_encoder=transformers.CLIPTextModel(clip_config()), tokenizer=clip_tokenizer(folder),
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl(folder: Path) -> diffusers.StableDiffusionXLPipeline:
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        unet=unet(
            cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 16,
        ),
        text_encoder=transformers.CLIPTextModel(clip_config()),
        text_encoder_2=clip_with_projection(),
        tokenizer=clip_tokenizer(folder), tokenizer_2=clip_tokenizer(folder),
        scheduler=diffusers.EulerDiscreteScheduler(), add_watermarker=False,
    )  # fmt: skip


def stable_diffusion_3(folder: Path) -> diffusers.StableDiffusion3Pipeline:
    tokenizer, encoder = t5(folder)
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=T5_WIDTH,
            pooled_projection_dim=32, out_channels=4,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=latent_vae(4, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip_with_projection(), tokenizer=clip_tokenizer(folder),
        text_encoder_2=clip_with_projection(), tokenizer_2=clip_tokenizer(folder),
        text_encoder_3=encoder, tokenizer_3=tokenizer,
    )  # fmt: skip


def flux(folder: Path, guidance_embeds: bool = True) -> diffusers.FluxPipeline:
    tokenizer, encoder = t5(folder)
    pipeline = diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=T5_WIDTH, pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8), guidance_embeds=guidance_embeds,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=latent_vae(1, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=transformers.CLIPTextModel(clip_config()), tokenizer=clip_tokenizer(folder),
        text_encoder_2=encoder, tokenizer_2=tokenizer,
    )  # fmt: skip
    return pipeline


def flux_schnell(folder: Path) -> diffusers.FluxPipeline:
    """Without embedded guidance, as Flux schnell is."""
    return flux(folder, guidance_embeds=False)


def chroma(folder: Path) -> diffusers.ChromaPipeline:
    """Of a class that is accepted where an operator allows it alone."""
    tokenizer, encoder = t5(folder)
    return diffusers.ChromaPipeline(
        transformer=diffusers.ChromaTransformer2DModel(
            patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=T5_WIDTH, axes_dims_rope=(4, 4, 8),
            approximator_num_channels=8, approximator_hidden_dim=16, approximator_layers=1,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=latent_vae(1, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=encoder, tokenizer=tokenizer, image_encoder=None, feature_extractor=None,
    )  # fmt: skip


def _pixart(folder: Path, kind: Any) -> Any:
    tokenizer, encoder = t5(folder)
    return kind(
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=32, patch_size=2, in_channels=4, out_channels=8, num_layers=1,
            attention_head_dim=8, num_attention_heads=2, cross_attention_dim=16,
            caption_channels=T5_WIDTH, num_embeds_ada_norm=1000, use_additional_conditions=False,
        ),
        scheduler=diffusers.DPMSolverMultistepScheduler(),
        vae=latent_vae(4, blocks=4), text_encoder=encoder, tokenizer=tokenizer,
    )  # fmt: skip


def pixart_alpha(folder: Path) -> diffusers.PixArtAlphaPipeline:
    return _pixart(folder, diffusers.PixArtAlphaPipeline)


def pixart_sigma(folder: Path) -> diffusers.PixArtSigmaPipeline:
    return _pixart(folder, diffusers.PixArtSigmaPipeline)


def latent_consistency(folder: Path) -> diffusers.LatentConsistencyModelPipeline:
    """A distilled Stable Diffusion: guidance is an input, and noise is drawn within the steps."""
    return diffusers.LatentConsistencyModelPipeline(
        vae=vae(),
        unet=unet(cross_attention_dim=16, time_cond_proj_dim=8),
        text_encoder=transformers.CLIPTextModel(clip_config()), tokenizer=clip_tokenizer(folder),
        scheduler=diffusers.LCMScheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


PIPELINES: dict[str, Callable[[Path], Any]] = {
    "stable_diffusion": stable_diffusion,
    "sdxl": sdxl,
    "stable_diffusion_3": stable_diffusion_3,
    "flux": flux,
    "flux_schnell": flux_schnell,
    "pixart_alpha": pixart_alpha,
    "pixart_sigma": pixart_sigma,
    "latent_consistency": latent_consistency,
}
NEWER: dict[str, Callable[[Path], Any]] = {"chroma": chroma}
"""Of classes that are not accepted unless an operator allows them."""


def write(name: str, folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    """Save a pipeline, as save_pretrained does; a seed makes the weights."""
    torch.manual_seed(seed)
    pipeline = (PIPELINES | NEWER)[name](folder.with_name(f"{folder.name}-words"))
    pipeline.to(dtype=dtype).save_pretrained(folder, safe_serialization=True)
    return folder


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]), seed=int(sys.argv[3]))
