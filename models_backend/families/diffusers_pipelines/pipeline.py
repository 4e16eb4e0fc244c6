"""Any local diffusers text-to-image pipeline, sampled unchanged: SD, SDXL, SD3, Flux, PixArt...

For sampling; `tuned` goes on from one. Nothing is fetched and no code from the checkpoint is run;
weights must be safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from models_backend.checkpoint_format import Layout
from models_backend.errors import CheckpointError, InputError
from models_backend.families.base import Family
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.diffusers_pipelines.arguments import call_arguments
from models_backend.families.diffusers_pipelines.checking import check_directory
from models_backend.families.diffusers_pipelines.decoders import (
    decoder_of,
    keep_decoder_exact,
    picture_size,
    pictures,
)
from models_backend.families.diffusers_pipelines.files import load_directory
from models_backend.families.diffusers_pipelines.reading import readings
from models_backend.families.diffusers_pipelines.samplers import draw_from, fresh_scheduler
from models_backend.families.finite import FiniteWatch, not_finite
from models_backend.families.settings import SamplingSettings
from models_backend.nn.reading import Reading


class DiffusersPipeline(Family):
    """A pipeline that diffusers loads and calls."""

    name = Layout.DIFFUSERS_PIPELINE.value

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self._own_scheduler = getattr(pipeline, "scheduler", None)
        self._decoder = decoder_of(pipeline)
        keep_decoder_exact(pipeline)
        for module in self.modules():
            module.eval()  # or dropout would draw noise of its own
        self._watch = FiniteWatch(self.modules() if self._decoder is None else [])

    def part(self, name: str) -> nn.Module:
        """Return the denoiser, whichever component of the pipeline it is."""
        for component in ("unet", "transformer"):
            module = getattr(self.pipeline, component, None)
            if module is not None:
                return module
        raise CheckpointError(f"{type(self.pipeline).__name__} has no unet and no transformer")

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        raise CheckpointError(f"{type(self.pipeline).__name__} was loaded to be sampled")

    def graded_images(
        self, prompts: Sequence[str], noise: Tensor, settings: SamplingSettings, *, graded: int
    ) -> Tensor:
        raise InputError(
            f"{type(self.pipeline).__name__} was loaded to be sampled; feedback by rewards takes a "
            "pipeline that is tuned, and our own latent and pixel diffusion"
        )

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        """Run the pipeline, up to the latents where their decoding is known here.

        A class not known here may pad prompts to the longest of a batch, or take one generator for
        all of them: it is called for each prompt apart.
        """
        if self._decoder is None:
            return Denoised(None, images=self._images(prompts, seeds, settings))
        latents = self._call(prompts, seeds, settings, output_type="latent")
        return Denoised.of(latents, picture_size(self.pipeline, settings.height, settings.width))

    def _images(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> tuple[Image, ...]:
        """Raises `NotFiniteError` where a network gave NaN or infinity on the way to one."""
        images, bad = [], 0
        for prompt, seed in zip(prompts, seeds, strict=True):
            self._watch.take()  # what a call that broke off left behind
            with np.errstate(invalid="ignore"):  # making NaN a byte; the watch says it better
                images.append(self._whole(prompt, seed, settings))
            bad += not self._watch.take()
        if bad:
            raise not_finite(bad, len(images), self.modules(), "")
        return tuple(images)

    def _whole(self, prompt: str, seed: int, settings: SamplingSettings) -> Image:
        image: Image = self._call([prompt], [seed], settings)[0]
        size = settings.width, settings.height
        if None not in size and image.size != size:
            raise InputError(
                f"height {size[1]}, width {size[0]}: {type(self.pipeline).__name__} makes "
                f"{image.height} x {image.width} instead; give that size"
            )
        return image

    def _call(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings, **more: str
    ) -> Any:
        """Return what the pipeline makes of a batch. Raises `InputError` with its own complaint."""
        scheduler = fresh_scheduler(self.pipeline, self._own_scheduler, settings.sampler)
        self.pipeline.scheduler = scheduler
        arguments = self._arguments(prompts, seeds, settings)
        draw_from(scheduler, arguments["generator"])
        try:
            return self.pipeline(**arguments, **more).images
        except ValueError as error:
            complaint = " ".join(str(error).split())[:300]
            raise InputError(f"{type(self.pipeline).__name__}: {complaint}") from error

    def _arguments(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> dict[str, Any]:
        return call_arguments(self.pipeline, prompts, seeds, settings)

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        assert self._decoder is not None
        return self._decoder(self.pipeline, latents, size)

    def to_pictures(self, pixels: Tensor) -> list[Image]:
        return pictures(self.pipeline, pixels)

    def readings(self, prompts: Sequence[str]) -> list[Reading | None]:
        return readings(self.pipeline, prompts)

    def modules(self) -> list[nn.Module]:
        parts = self.pipeline.components.values()
        return [part for part in parts if isinstance(part, nn.Module)]

    def save(self, folder: Path) -> None:
        self.pipeline.save_pretrained(folder, safe_serialization=True)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when diffusers cannot load the directory."""
        return cls(load_directory(folder, device))

    @classmethod
    def check(cls, folder: Path) -> None:
        _ = cls(check_directory(folder)).denoiser

    def config(self) -> dict[str, Any]:
        return {"pipeline": type(self.pipeline).__name__}
