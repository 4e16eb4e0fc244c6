"""What all recipes share: training one part of a family on captioned pictures, prepared once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models_backend.configuration.captions import CaptionMix
from models_backend.configuration.loops import LoopConfig
from models_backend.data.dataset import build_captions
from models_backend.data.manifest import Record
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.batch import training_batch
from models_backend.nn.pixels import to_unit_range
from models_backend.recipes.rows import OneSet, RowPlan
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer, default_accelerator

_PIXELS = 16 * 128 * 128
"""A network is given so many at once: 16 pictures of 128 pixels a side, or one of 512."""


def in_parts(pictures: Tensor) -> tuple[Tensor, ...]:
    """Split pictures (N, 3, H, W) into parts whose activations a GPU can hold."""
    return pictures.split(max(1, _PIXELS // (pictures.shape[2] * pictures.shape[3])))


def with_mirror_images(pictures: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Yield bytes (N, 3, H, W) and their mirror images in parts, as floats on `device`."""
    for part in in_parts(torch.cat([pictures, pictures.flip(3)])):
        yield to_unit_range(part.to(device))


@torch.no_grad()
def prepared(family: Family, pictures: Tensor, part: str) -> Tensor:
    """Return what a part learns from, (2N, ...): of the pictures, then of their mirror images."""
    each = with_mirror_images(pictures, family.device)
    return torch.cat([family.prepare(pixels, part).cpu() for pixels in each])


def refuse_noise_offset(family: Family, noise_offset: float) -> None:
    """Raise `InputError` where a noise offset is asked of a family that has no noise."""
    if noise_offset and not family.takes_noise_offset:
        raise InputError(
            f"noise_offset {noise_offset:g}: a {family.name} model learns tokens, which have no "
            "noise to shift; set noise_offset = 0"
        )


def train_part(
    family: Family,
    part: str,
    *,
    examples: Tensor,
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
    plan: RowPlan | None = None,
    framing: Tensor | None = None,
) -> None:
    """Train a part on `examples` (2N, ...): `prepared` of N `records` and their mirror images.

    `prepare` is handed the trainer before the first step, `on_save` called after each saved state.
    `sampled` are the prompts it will sample. `plan` chooses a step's rows: without it every picture
    comes at every noise level. `framing` (N, 4) is what is seen of each picture, where that may not
    be all. Text encoders read every caption before the first step, on the trainer's device, and are
    let go.

    Raises:
        InputError: a noise offset for a family that has no noise.
    """
    refuse_noise_offset(family, noise_offset)
    family.to(default_accelerator().device)
    trainer = Trainer(
        module=family.part(part), config=loop, seed=seed, stage=part, run=run, on_save=on_save
    )
    device = trainer.accelerator.device
    captions = build_captions(records, mix, family.text_encoder)
    if sampled:
        family.text_encoder.rows(sampled)
    family.text_encoder.rest()
    z = examples.to(device)
    shape = family.noise_shape(part, tuple(z.shape[1:]))
    rows_of = plan or OneSet(len(records))

    def step(draw: StepDraw) -> StepLoss:
        images, u = rows_of(loop.batch_size, draw)
        text = captions.draw(images % len(records), dropout=caption_dropout, generator=draw)
        if u is None:
            u = torch.rand(loop.batch_size, generator=draw)
        v = torch.rand(loop.batch_size, generator=draw)
        text, rows = text[draw.rows], z[images[draw.rows]]
        noise = draw.noise(shape, offset=noise_offset, device=device)
        seen = None if framing is None else framing[images[draw.rows] % len(records)]
        batch = training_batch(rows, text, noise, u[draw.rows], v[draw.rows], seen)
        return StepLoss(family.loss(batch, part), images[draw.rows], {})

    if prepare is not None:
        prepare(trainer)
    trainer.fit(step)
