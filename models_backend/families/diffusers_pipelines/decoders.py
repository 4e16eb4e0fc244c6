"""From latents to pictures, as each class of diffusers pipeline does it at the end of a call.

Called apart from the pipeline, so that one batch is decoded while the next is denoised. What is
computed is bit for bit what the pipeline computes; see `__call__` of each class in diffusers.
Only exact classes are known: a subclass may decode differently, and then runs as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from PIL.Image import Image
from torch import Tensor

Decoder = Callable[[Any, Tensor, tuple[int, int] | None], Tensor]
"""(pipeline, latents, height and width of the pictures) to pixels, for `pictures`."""


def decoder_of(pipeline: Any) -> Decoder | None:
    """Return how this pipeline's latents are decoded, or None where that is not known here."""
    # Other decoders (consistency models) draw noise: then latents are not all they need.
    if type(getattr(pipeline, "vae", None)) not in (AutoencoderKL, AutoencoderTiny):
        return None
    return _DECODERS.get(type(pipeline).__name__)


def keep_decoder_exact(pipeline: Any) -> None:
    """Turn a half-precision SDXL decoder that overflows into single precision, once.

    The pipeline itself does so before and undoes it after every batch; moving weights while another
    thread works on a GPU would need care, and rounds nothing: halves are exact as singles.
    """
    if decoder_of(pipeline) is not _sdxl:
        return
    vae = pipeline.vae
    if vae.dtype == torch.float16 and vae.config.force_upcast:
        vae.to(dtype=torch.float32)


def picture_size(pipeline: Any, height: int | None, width: int | None) -> tuple[int, int] | None:
    """Return height and width of the pictures, which are the pipeline's own where None is given.

    None for a class whose latents tell the size.
    """
    name = type(pipeline).__name__
    if name == "FluxPipeline":
        own = pipeline.default_sample_size * pipeline.vae_scale_factor
    elif name in ("PixArtAlphaPipeline", "PixArtSigmaPipeline"):
        own = pipeline.transformer.config.sample_size * pipeline.vae_scale_factor
    else:
        return None
    return height or own, width or own


def _stable_diffusion(pipeline: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    return _decoded(pipeline.vae, latents / pipeline.vae.config.scaling_factor)


def _sdxl(pipeline: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    vae = pipeline.vae
    latents = latents.to(vae.dtype)  # see `keep_decoder_exact`
    mean, std = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is not None and std is not None:
        mean, std = (torch.tensor(each).view(1, -1, 1, 1).to(latents) for each in (mean, std))
        latents = latents * std / vae.config.scaling_factor + mean
    else:
        latents = latents / vae.config.scaling_factor
    pixels = _decoded(vae, latents)
    if pipeline.watermark is not None:
        pixels = pipeline.watermark.apply_watermark(pixels)
    return pixels


def _stable_diffusion_3(pipeline: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    config = pipeline.vae.config
    latents = (latents / config.scaling_factor) + config.shift_factor
    return _decoded(pipeline.vae, latents)


def _flux(pipeline: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    assert size is not None
    latents = pipeline._unpack_latents(latents, *size, pipeline.vae_scale_factor)
    return _stable_diffusion_3(pipeline, latents, size)


def _pixart(pipeline: Any, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
    assert size is not None
    vae = pipeline.vae
    latents = latents.to(vae.dtype)
    pixels = _decoded(vae, latents / vae.config.scaling_factor)
    if tuple(pixels.shape[-2:]) != size:
        # Drawn at the nearest size it was trained for.
        height, width = size
        pixels = pipeline.image_processor.resize_and_crop_tensor(pixels, width, height)
    return pixels


def _decoded(vae: Any, latents: Tensor) -> Tensor:
    # While a pipeline is tuned its decoder is in single precision, whatever its network is in.
    pixels: Tensor = vae.decode(latents.to(vae.dtype), return_dict=False)[0]
    return pixels


def pictures(pipeline: Any, pixels: Tensor) -> list[Image]:
    """Return what a decoder gave as pictures, rounded as diffusers rounds."""
    images: list[Image] = pipeline.image_processor.postprocess(pixels, output_type="pil")
    return images


_DECODERS: dict[str, Decoder] = {
    "StableDiffusionPipeline": _stable_diffusion,
    "LatentConsistencyModelPipeline": _stable_diffusion,
    "StableDiffusionXLPipeline": _sdxl,
    "StableDiffusion3Pipeline": _stable_diffusion_3,
    "FluxPipeline": _flux,
    "PixArtAlphaPipeline": _pixart,
    "PixArtSigmaPipeline": _pixart,
}
