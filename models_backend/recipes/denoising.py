"""What both recipes share: training a family's denoiser on latents encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models_backend.data.captions import CaptionMix
from models_backend.data.dataset import build_captions, to_unit_range
from models_backend.data.manifest import Record
from models_backend.families.batch import training_batch
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.training.config import LoopConfig
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator

_PIXELS = 64 * 128 * 128
"""An autoencoder is given so many at once: 64 pictures of 128 pixels a side, or 4 of 512."""


def in_parts(pictures: Tensor) -> tuple[Tensor, ...]:
    """Split pictures (N, 3, H, W) into parts whose activations a GPU can hold."""
    return pictures.split(max(1, _PIXELS // (pictures.shape[2] * pictures.shape[3])))


def encode_with_mirror_images(model: LatentDiffusion, pictures: Tensor) -> Tensor:
    """Return latents (2N, Z, h, w): of the pictures, then of their mirror images."""
    parts = in_parts(torch.cat([pictures, pictures.flip(3)]))
    return torch.cat([model.encode(to_unit_range(part.to(model.device))).cpu() for part in parts])


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
    sampled: Sequence[str] = (),
) -> None:
    """Train on normalised `latents` (2N, Z, h, w) of N `records` and their mirror images.

    `prepare` is handed the trainer before the first step, `on_save` called after each saved state.
    `sampled` are the prompts it will sample. Text encoders read every caption before the first
    step, on the trainer's device, and are let go.
    """
    model.to(default_accelerator().device)
    trainer = Trainer(
        module=model.denoiser, config=loop, seed=seed, stage="denoiser", run=run, on_save=on_save
    )
    device = trainer.accelerator.device
    captions = build_captions(records, mix, model.text_encoder)
    if sampled:
        model.text_encoder.rows(sampled)
    model.text_encoder.rest()
    z = model.normalise(latents.to(device))

    def step(draw: StepDraw) -> StepLoss:
        images = torch.randint(len(z), (loop.batch_size,), generator=draw)
        text = captions.draw(images % len(records), dropout=caption_dropout, generator=draw)
        u = torch.rand(loop.batch_size, generator=draw)
        text, latents = text[draw.rows], z[images[draw.rows]]
        noise = draw.noise(latents.shape[1:], offset=noise_offset, device=latents.device)
        losses = model.loss(training_batch(latents, text, noise, u[draw.rows]))
        return StepLoss(losses, images[draw.rows], {})

    if prepare is not None:
        prepare(trainer)
    trainer.fit(step)
    model.to("cpu")
