"""Pre-training: an autoencoder, then a denoiser over its latents, on the whole mixture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models_backend.config import PretrainConfig
from models_backend.data.dataset import load_images, to_unit_range
from models_backend.data.manifest import Record
from models_backend.families.latent_diffusion import LatentDiffusion
from models_backend.nn.autoencoder import Autoencoder, psnr
from models_backend.recipes.denoising import encode_with_mirror_images, train_denoiser
from models_backend.trainer import StepLoss, Trainer


def pretrain(
    config: PretrainConfig, *, data: Path, records: Sequence[Record], run: Path
) -> tuple[LatentDiffusion, dict[str, float]]:
    """Train from nothing; return the model and measured facts about it.

    Raises:
        InputError: images that do not fit the configuration.
        TrainingError: a loss that is not finite.
    """
    torch.manual_seed(config.seed)
    model = LatentDiffusion.create(
        config.autoencoder_config(),
        config.unet_config(),
        (config.image_size, config.image_size),
    )
    pictures = load_images(data, records, config.image_size)
    _train_autoencoder(model.autoencoder, pictures, config, run)
    latents = encode_with_mirror_images(model, pictures)
    model.fit_latent_statistics(latents)
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
    )
    return model, {"autoencoder_psnr_db": round(_psnr(model, pictures), 3)}


def _train_autoencoder(
    autoencoder: Autoencoder, pictures: Tensor, config: PretrainConfig, run: Path
) -> None:
    loop = config.autoencoder_training
    autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def step(generator: torch.Generator) -> StepLoss:
        images = torch.randint(len(pictures), (loop.batch_size,), generator=generator)
        mirrored = torch.rand(loop.batch_size, generator=generator) < 0.5
        batch = pictures[images]
        batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(3), batch)
        loss, scalars = autoencoder.loss(
            to_unit_range(batch), kl_weight=config.kl_weight, generator=generator
        )
        return StepLoss(loss, images, scalars)

    Trainer(module=autoencoder, config=loop, seed=config.seed, stage="autoencoder", run=run).fit(
        step
    )


@torch.no_grad()
def _psnr(model: LatentDiffusion, pictures: Tensor) -> float:
    x = to_unit_range(pictures[:: max(1, len(pictures) // 64)])
    return psnr(x, model.autoencoder.decode(model.encode(x)))
