"""Pre-training: an autoencoder, then a denoiser over its latents, on the whole mixture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models_backend.data.dataset import load_images, to_unit_range
from models_backend.data.manifest import Record
from models_backend.data.source import ImageSource
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.measures.pixels import psnr
from models_backend.nn.precision import refuse_without_bfloat16
from models_backend.nn.text import TextEncoder
from models_backend.nn.unet import build_unet
from models_backend.recipes.autoencoder import train_autoencoder
from models_backend.recipes.denoising import (
    encode_with_mirror_images,
    in_parts,
    train_denoiser,
)
from models_backend.recipes.grids import SampleGrid
from models_backend.recipes.streaming import sample_pictures, train_in_stages
from models_backend.training.config import PretrainConfig
from models_backend.training.memory import refuse_to_build
from models_backend.training.trainer import default_accelerator


def pretrain(
    config: PretrainConfig,
    *,
    data: Path,
    records: Sequence[Record],
    run: Path,
    source: ImageSource | None = None,
    cache: Path | None = None,
) -> tuple[LatentDiffusion, dict[str, float]]:
    """Train from nothing; return the model and measured facts about it.

    With a `source` its pictures are read from disk as needed, otherwise `records` are held in
    memory; `cache` is a folder for latents and text embeddings.

    Raises:
        InputError: images that do not fit the configuration, or too little memory for its size.
        TrainingError: a loss that is not finite.
    """
    _refuse_what_does_not_fit(config)
    torch.manual_seed(config.seed)
    model = LatentDiffusion.create(
        config.autoencoder_config(),
        config.unet_config(),
        (config.image_size, config.image_size),
        config.text,
        config.schedule,
    )
    pictures = (
        load_images(data, records, config.image_size)
        if source is None
        else sample_pictures(source, config.autoencoder_images, config.image_size, config.seed)
    )
    train_autoencoder(
        model.autoencoder,
        pictures,
        loop=config.autoencoder_training,
        losses=config.autoencoder_loss,
        seed=config.seed,
        run=run,
    )
    latents = encode_with_mirror_images(model, pictures)
    model.fit_latent_statistics(latents)
    grid = SampleGrid(model, config.sample_prompts, config.seed) if config.sample_prompts else None
    if source is not None:
        train_in_stages(model, source, config, run=run, cache=cache, grid=grid)
    else:
        train_denoiser(
            model,
            latents=latents,
            records=records,
            mix=config.captions,
            loop=config.denoiser_training,
            caption_dropout=config.caption_dropout,
            noise_offset=config.noise_offset,
            seed=config.seed,
            run=run,
            on_save=grid.at if grid else None,
            prepare=grid.watch if grid else None,
            sampled=grid.prompts if grid else (),
        )
    return model, {"autoencoder_psnr_db": round(_psnr(model, pictures), 3)}


def _refuse_what_does_not_fit(config: PretrainConfig) -> None:
    """Raise `InputError` where this machine cannot do what is asked, before it begins."""
    device = default_accelerator().device
    for stage, loop in (
        ("autoencoder", config.autoencoder_training),
        ("denoiser", config.denoiser_training),
    ):
        refuse_without_bfloat16(loop.mixed_precision, device, stage)
    refuse_to_build(_denoiser_parameters(config), config.denoiser_training, "denoiser")


def _denoiser_parameters(config: PretrainConfig) -> int:
    """Count the denoiser's parameters without making them."""
    encoder = TextEncoder(config.text)
    with torch.device("meta"):
        unet = build_unet(
            config.unet_config(),
            latent_channels=config.autoencoder_config().latent_channels,
            text_width=encoder.width,
            encoders=len(encoder.parts),
        )
    return sum(p.numel() for p in unet.parameters())


@torch.no_grad()
def _psnr(model: LatentDiffusion, pictures: Tensor) -> float:
    """Return the mean over up to about 64 pictures, computed where the training was."""
    model.to(default_accelerator().device)
    found = []
    for part in in_parts(pictures[:: max(1, len(pictures) // 64)]):
        x = to_unit_range(part.to(model.device))
        found.append(psnr(x, model.autoencoder.decode(model.encode(x))).cpu())
    model.to("cpu")
    return float(torch.cat(found).mean())
