"""Quality-tuning: a few hand-picked images, a short run, stopped early (Emu, section 3.3).

The autoencoder stays as it is; only the denoiser is trained. The paper says when to stop in words
(over-fitting sets in while the loss still falls), so the number of steps is a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models_backend.config import QualityTuneConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import Record
from models_backend.families.latent_diffusion import LatentDiffusion
from models_backend.recipes.denoising import encode_with_mirror_images, train_denoiser


def quality_tune(
    config: QualityTuneConfig,
    *,
    parent: LatentDiffusion,
    data: Path,
    records: Sequence[Record],
    run: Path,
) -> LatentDiffusion:
    """Tune `parent` in place on the picked `records` and return it."""
    pictures = load_images(data, records, parent.image_size[0])
    train_denoiser(
        parent,
        latents=encode_with_mirror_images(parent, pictures),
        records=records,
        mix=config.captions,
        loop=config.denoiser_training,
        caption_dropout=config.caption_dropout,
        noise_offset=config.noise_offset,
        seed=config.seed,
        run=run,
    )
    return parent
