"""What all recipes share: training one part of a family on captioned pictures, prepared once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

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


@dataclass(frozen=True)
class Examples:
    """What a part learns from, of n pictures of one shape.

    Attributes:
        records: (n,) which record each picture is of.
        prepared: (2n, ...), of the pictures, then of their mirror images.
        framing: (n, 4) what is seen of each picture; None: all.
    """

    records: Tensor
    prepared: Tensor
    framing: Tensor | None = None

    @classmethod
    def of(cls, family: Family, pictures: Tensor, part: str) -> Self:
        """Return those of a picture (N, 3, H, W) for each record, of which all is seen."""
        return cls(torch.arange(len(pictures)), prepared(family, pictures, part))

    def __len__(self) -> int:
        return len(self.records)


def _one_of(buckets: Sequence[Examples], draw: StepDraw) -> Examples:
    """Return the bucket of a step, so drawn that every picture is as likely in a row."""
    if len(buckets) == 1:
        return buckets[0]
    sizes = torch.tensor([len(each) for each in buckets], dtype=torch.float64)
    return buckets[int(torch.multinomial(sizes, 1, generator=draw))]


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
    examples: Sequence[Examples],
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
) -> None:
    """Train a part on `examples` of `records`, a bucket a shape; a step's batch is of one bucket.

    `prepare` is handed the trainer before the first step, `on_save` called after each saved state.
    `sampled` are the prompts it will sample. `plan` chooses a step's rows of a single bucket:
    without it every picture comes at every noise level. Text encoders read every caption before the
    first step, on the trainer's device, and are let go.

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
    buckets = [replace(each, prepared=each.prepared.to(device)) for each in examples]

    def step(draw: StepDraw) -> StepLoss:
        bucket = _one_of(buckets, draw)
        rows_of = plan or OneSet(len(bucket))
        images, u = rows_of(loop.batch_size, draw)
        places = images % len(bucket)
        drawn = bucket.records[places]
        text = captions.draw(drawn, dropout=caption_dropout, generator=draw)
        if u is None:
            u = torch.rand(loop.batch_size, generator=draw)
        v = torch.rand(loop.batch_size, generator=draw)
        text, z = text[draw.rows], bucket.prepared[images[draw.rows]]
        shape = family.noise_shape(part, tuple(z.shape[1:]))
        noise = draw.noise(shape, offset=noise_offset, device=device)
        seen = None if bucket.framing is None else bucket.framing[places[draw.rows]]
        batch = training_batch(z, text, noise, u[draw.rows], v[draw.rows], seen)
        numbers = drawn + images // len(bucket) * len(records)
        return StepLoss(family.loss(batch, part), numbers[draw.rows], {})

    if prepare is not None:
        prepare(trainer)
    trainer.fit(step)
