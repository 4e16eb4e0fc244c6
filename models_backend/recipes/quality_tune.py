"""Quality-tuning: a few hand-picked images, a short run, stopped early (Emu, section 3.3).

The autoencoder stays as it is; only the denoiser is trained. The paper gives batch 64, noise offset
0.1 and at most 15,000 iterations, and says in words when to stop; see `early_stopping`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from models_backend.data.dataset import load_images
from models_backend.data.manifest import Record, read_records
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.recipes.denoising import encode_with_mirror_images, train_denoiser
from models_backend.recipes.early_stopping import (
    EarlyStopping,
    HeldOutCaptions,
    cautions,
    load_candidate,
    read_outcome,
    retrieval_head,
    table,
)
from models_backend.training.config import QualityTuneConfig
from models_backend.training.trainer import default_accelerator


def quality_tune(
    config: QualityTuneConfig,
    *,
    parent: LatentDiffusion,
    data: Path,
    records: Sequence[Record],
    run: Path,
) -> tuple[LatentDiffusion, dict[str, Any]]:
    """Tune `parent` in place on the picked `records`; return it and how it was stopped."""
    parent.to(default_accelerator().device)
    pictures = load_images(data, records, parent.image_size[0])
    stopping = None
    if config.early_stopping.candidates:
        stopping = _early_stopping(config, parent, data, records, pictures, run)
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
        on_save=stopping.at if stopping else None,
        prepare=stopping.watch if stopping else None,
        sampled=stopping.prompts if stopping else (),
    )
    if stopping is None:
        return parent, {}
    outcome = read_outcome(run)
    if default_accelerator().is_main_process:
        print(table(outcome), file=sys.stderr)
    step = int(outcome["picked_step"])
    return pick_candidate(parent, run, step, by="rule")


def pick_candidate(
    model: LatentDiffusion, run: Path, step: int, *, by: str
) -> tuple[LatentDiffusion, dict[str, Any]]:
    """Return the model with a candidate's weights, and what its checkpoint says of the choice."""
    load_candidate(model, run, step)
    outcome = read_outcome(run)
    measured = next(entry for entry in outcome["entries"] if entry["step"] == step)
    choice = {
        "picked_by": by, "picked_step": step, "rule": outcome["rule"], "signals": measured,
        "held_out_captions": outcome["held_out_captions"], "cautions": outcome["cautions"],
        "none_fits": outcome["none_fits"],
    }  # fmt: skip
    return model, {"early_stopping": choice}


def _early_stopping(
    config: QualityTuneConfig,
    parent: LatentDiffusion,
    data: Path,
    records: Sequence[Record],
    pictures: torch.Tensor,
    run: Path,
) -> EarlyStopping:
    everything = read_records(data)
    wanted = config.early_stopping.images
    held_out = HeldOutCaptions.of(everything, records, wanted)
    if default_accelerator().is_main_process:
        for caution in cautions(len(held_out.records), wanted):  # before the first step, too
            print(f"early stopping: {caution}", file=sys.stderr)
    size = parent.image_size[0]
    pixels = load_images(data, everything, size)
    place_of = {record.file: row for row, record in enumerate(everything)}
    held_out_pixels = pixels[[place_of[record.file] for record in held_out.records]]
    return EarlyStopping(
        parent,
        config.early_stopping,
        config.denoiser_training,
        run=run,
        seed=config.seed,
        held_out=held_out,
        tuning=records,
        tuning_pixels=pictures,
        held_out_pixels=held_out_pixels,
        faithfulness=retrieval_head(parent, everything, pixels, held_out, config.seed),
        noise_offset=config.noise_offset,
    )
