"""Pre-training: what a family's parts learn from is fitted first, then its parts in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from models_backend.configuration.pretraining import PretrainConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import Record
from models_backend.data.source import ImageSource
from models_backend.families.base import Family
from models_backend.families.registry import family_named
from models_backend.measures.pixels import psnr
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.precision import refuse_without_bfloat16
from models_backend.recipes.autoencoder import Compressor, train_autoencoder
from models_backend.recipes.grids import SampleGrid
from models_backend.recipes.kept import take_kept_parts
from models_backend.recipes.parts import (
    Examples,
    in_parts,
    refuse_noise_offset,
    train_part,
    with_mirror_images,
)
from models_backend.recipes.streaming import sample_pictures, train_in_stages
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
) -> tuple[Family, dict[str, Any]]:
    """Train from nothing but for what is kept; return the model and measured facts about it.

    With a `source` its pictures are read from disk as needed, otherwise `records` are held in
    memory; `cache` is a folder for what is prepared of pictures, and for text embeddings.

    Raises:
        InputError: images that do not fit the configuration, or too little memory for its size.
        TrainingError: a loss that is not finite.
    """
    kind = family_named(config.family)
    _refuse_what_does_not_fit(config, kind)
    torch.manual_seed(config.seed)
    family = kind.from_config(config)
    kept = take_kept_parts(family, config)
    pictures = _pictures(config, kind, data, records, source)
    facts = _fit_compressor(family, config, pictures, run) if pictures is not None else {}
    grid = SampleGrid(family, config.sample_prompts, config.seed) if config.sample_prompts else None
    if source is not None:
        train_in_stages(family, source, config, run=run, cache=cache, grid=grid)
        return family, facts | kept
    assert pictures is not None
    refuse_noise_offset(family, config.noise_offset)
    family.to(default_accelerator().device)
    for part in (each for each in family.parts if each not in config.kept):
        train_part(
            family,
            part,
            examples=[Examples.of(family, pictures, part)],
            records=records,
            mix=config.captions,
            loop=config.part_training(part),
            caption_dropout=config.caption_dropout,
            noise_offset=config.noise_offset,
            seed=config.seed,
            run=run,
            on_save=grid.at if grid else None,
            prepare=grid.watch if grid else None,
            sampled=grid.prompts if grid else (),
        )
    family.to("cpu")
    return family, facts | kept


def _pictures(
    config: PretrainConfig,
    kind: type[Family],
    data: Path,
    records: Sequence[Record],
    source: ImageSource | None,
) -> Tensor | None:
    """Return bytes (N, 3, H, W): all of a set in memory, or what a compressor sees of a source."""
    if source is None:
        return load_images(data, records, config.image_size)
    if not kind.compressor:
        return None
    return sample_pictures(source, config.autoencoder_images, config.image_size, config.seed)


def _fit_compressor(
    family: Family, config: PretrainConfig, pictures: Tensor, run: Path
) -> dict[str, float]:
    """Train what stands before the parts, where there is such a thing; say how exact it is."""
    name = family.compressor
    if not name:
        return {}
    train_autoencoder(
        family.part(name),
        pictures,
        loop=config.part_training(name),
        losses=getattr(config, f"{name}_loss"),
        seed=config.seed,
        run=run,
        stage=name,
    )
    family.to(default_accelerator().device)
    family.settle(list(with_mirror_images(pictures, family.device)))
    return {f"{name}_psnr_db": round(_psnr(family, pictures), 3)}


def _refuse_what_does_not_fit(config: PretrainConfig, kind: type[Family]) -> None:
    """Raise `InputError` where this machine cannot do what is asked, before it begins."""
    device = default_accelerator().device
    with torch.device("meta"):
        sketch = kind.from_config(config)
    for part in filter(None, (sketch.compressor, *sketch.parts)):
        refuse_without_bfloat16(config.part_training(part).mixed_precision, device, part)
    for part in sketch.parts:
        parameters = sum(each.numel() for each in sketch.part(part).parameters())
        refuse_to_build(parameters, config.part_training(part), part)


@torch.no_grad()
def _psnr(family: Family, pictures: Tensor) -> float:
    """Return the mean over up to about 64 pictures, computed where the training was."""
    compressor = cast(Compressor, family.part(family.compressor))
    found = []
    for part in in_parts(pictures[:: max(1, len(pictures) // 64)]):
        x = to_unit_range(part.to(family.device))
        found.append(psnr(x, compressor.reconstruct(x)).cpu())
    return float(torch.cat(found).mean())
