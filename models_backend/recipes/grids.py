"""Sample grids: what a run samples from the same prompts and seeds as it goes on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from accelerate import DistributedType
from PIL import Image
from torch import Tensor

from models_backend.data.pictures import on_white
from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.settings import SamplingSettings
from models_backend.recipes.overfitting import to_pixels
from models_backend.training.trainer import Trainer


def grid(images: Sequence[Image.Image]) -> Tensor:
    """Return pictures as one (3, H, W) of bytes, four in a row; smaller ones amid white."""
    pixels = to_pixels(_of_one_size(images))
    pixels = torch.cat([pixels, pixels.new_full((-len(pixels) % 4, *pixels.shape[1:]), 255)])
    rows = pixels.view(-1, 4, *pixels.shape[1:])
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)


def _of_one_size(images: Sequence[Image.Image]) -> list[Image.Image]:
    size = max(each.width for each in images), max(each.height for each in images)
    return [each if each.size == size else _amid_white(each, size) for each in images]


def _amid_white(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    cell = Image.new("RGB", size, "white")
    cell.paste(on_white(image), ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return cell


def grid_png(images: Sequence[Image.Image]) -> bytes:
    """Return the grid as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(grid(images).permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return buffer.getvalue()


class SampleGrid:
    """Writes a grid of samples of the averaged weights to TensorBoard; give `at` as `on_save`."""

    def __init__(self, model: Family, prompts: Sequence[str], seed: int) -> None:
        self._model, self.prompts, self._seed = model, list(prompts), seed
        self._trainer: Trainer | None = None

    def watch(self, trainer: Trainer) -> None:
        """Take the weights from this trainer."""
        refuse_sharded(trainer, "sample_prompts", "leave it empty")
        self._trainer = trainer

    def at(self, step: int) -> None:
        """Sample the grid of a step."""
        assert self._trainer is not None
        if step and self._trainer.accelerator.is_main_process:
            with self._trainer.averaged_weights():
                seeds = [self._seed + number for number in range(len(self.prompts))]
                images = self._model.sample(
                    prompts=self.prompts,
                    seeds=seeds,
                    settings=SamplingSettings(sampler="default", steps=20),
                )
            self._trainer.monitor.pictures(step, "samples", grid(images))
        self._trainer.accelerator.wait_for_everyone()


def refuse_sharded(trainer: Trainer, setting: str, instead: str) -> None:
    """Raise `InputError` where weights are spread over processes: one alone cannot sample."""
    if trainer.accelerator.distributed_type == DistributedType.FSDP:
        raise InputError(
            f"{setting} samples in one process and does not work with FSDP; train without "
            f"FSDP, or {instead}"
        )
