"""What both recipes share: training a family's denoiser on latents encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models_backend.config import LoopConfig
from models_backend.data.captions import CaptionMix
from models_backend.data.dataset import build_captions, to_unit_range
from models_backend.data.manifest import Record
from models_backend.families.latent_diffusion import LatentDiffusion
from models_backend.trainer import StepDraw, StepLoss, Trainer

_ENCODE_BATCH = 64


def encode_with_mirror_images(model: LatentDiffusion, pictures: Tensor) -> Tensor:
    """Return latents (2N, Z, h, w): of the pictures, then of their mirror images."""
    both = torch.cat([pictures, pictures.flip(3)])
    parts = both.split(_ENCODE_BATCH)
    return torch.cat([model.encode(to_unit_range(part.to(model.device))).cpu() for part in parts])


def place(model: LatentDiffusion, device: torch.device) -> None:
    """Move a whole model, statistics included."""
    model.autoencoder.to(device)
    model.denoiser.to(device)
    model.latent_mean, model.latent_std = model.latent_mean.to(device), model.latent_std.to(device)


def train_denoiser(
    model: LatentDiffusion,
    *,
    latents: Tensor,
    records: Sequence[Record],
    mix: CaptionMix,
    loop: LoopConfig,
    caption_dropout: float,
    noise_offset: float,
    seed: int,
    run: Path,
    on_save: Callable[[int], None] | None = None,
    prepare: Callable[[Trainer], None] | None = None,
) -> None:
    """Train on normalised `latents` (2N, Z, h, w) of N `records` and their mirror images.

    `prepare` is handed the trainer before the first step, `on_save` called after each saved state.
    """
    trainer = Trainer(
        module=model.denoiser, config=loop, seed=seed, stage="denoiser", run=run, on_save=on_save
    )
    device = trainer.accelerator.device
    captions = build_captions(records, mix, model.text_encoder)
    place(model, device)
    z = model.normalise(latents.to(device))

    def step(draw: StepDraw) -> StepLoss:
        images = torch.randint(len(z), (loop.batch_size,), generator=draw)
        text = captions.draw(images % len(records), dropout=caption_dropout, generator=draw)
        u = torch.rand(loop.batch_size, generator=draw)
        text, latents = text[draw.rows], z[images[draw.rows]]
        batch = {
            "z": latents,
            "tokens": text.tokens,
            "mask": text.mask,
            "pooled": text.pooled,
            "noise": draw.noise(latents.shape[1:], offset=noise_offset, device=latents.device),
            "u": u[draw.rows].to(device),
        }
        losses = model.loss(batch, noise_offset=0.0, generator=draw)
        return StepLoss(losses, images[draw.rows], {})

    if prepare is not None:
        prepare(trainer)
    trainer.fit(step)
    place(model, torch.device("cpu"))
