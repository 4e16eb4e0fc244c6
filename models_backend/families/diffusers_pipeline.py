"""Any local diffusers text-to-image pipeline, sampled unchanged: SD, SDXL and the like.

For sampling only: our recipes do not train it. Nothing is fetched and no code from the checkpoint
is run; weights must be safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from models_backend.errors import CheckpointError, InputError
from models_backend.families.base import Family, SamplerSettings

_LOAD_ERRORS = (
    OSError, ValueError, ImportError, TypeError, AttributeError, KeyError, RuntimeError,
    SafetensorError,
)  # fmt: skip
_SCHEDULERS = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "euler": FlowMatchEulerDiscreteScheduler,
}
_FACTOR = 8  # what diffusers' pipelines accept as a size


class DiffusersPipeline(Family):
    """A pipeline that diffusers loads and calls."""

    name = "diffusers_pipeline"

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self._own_scheduler = getattr(pipeline, "scheduler", None)

    @property
    def denoiser(self) -> nn.Module:
        for component in ("unet", "transformer"):
            module = getattr(self.pipeline, component, None)
            if module is not None:
                return module
        raise CheckpointError(f"{type(self.pipeline).__name__} has no unet and no transformer")

    def loss(
        self, batch: dict[str, Tensor], *, noise_offset: float, generator: torch.Generator
    ) -> Tensor:
        raise CheckpointError("a diffusers pipeline is for sampling; our recipes do not train it")

    @torch.no_grad()
    def sample(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
    ) -> list[Image]:
        """Draw images with one CPU generator a sample, so that batches do not mix their noise."""
        self._use_scheduler(settings.sampler)
        arguments: dict[str, Any] = {
            "prompt": list(prompts),
            "num_inference_steps": settings.steps,
            "guidance_scale": settings.guidance_scale,
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        }
        if settings.negative_prompt:
            arguments["negative_prompt"] = [settings.negative_prompt] * len(prompts)
        if (settings.height is None) != (settings.width is None):
            # diffusers replaces both by its own when one is missing, without a word.
            raise InputError("height or width is missing: a diffusers pipeline needs both, or none")
        for name in ("height", "width"):
            side = getattr(settings, name)
            if side is not None and side % _FACTOR:
                raise InputError(f"{name} {side}: accepted are multiples of {_FACTOR}")
        if settings.height is not None:
            arguments |= {"height": settings.height, "width": settings.width}
        images: list[Image] = self.pipeline(**arguments).images
        return images

    def _use_scheduler(self, sampler: str) -> None:
        own = self._own_scheduler
        if sampler == "default" or own is None:
            self.pipeline.scheduler = own
            return
        # A flow-matching model sampled as a diffusion model gives noise, not an error.
        fitting = [name for name, kind in _SCHEDULERS.items() if kind in own.compatibles]
        if sampler not in fitting:
            raise InputError(
                f"sampler {sampler!r} does not fit this pipeline, whose own is "
                f"{type(own).__name__}; accepted are {', '.join([*fitting, 'default'])}"
            )
        self.pipeline.scheduler = _SCHEDULERS[sampler].from_config(own.config)

    def save(self, folder: Path) -> None:
        self.pipeline.save_pretrained(folder, safe_serialization=True)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when diffusers cannot load the directory."""
        try:
            pipeline = DiffusionPipeline.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except _LOAD_ERRORS as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise CheckpointError(
                f"{folder} is not a pipeline diffusers can load: {reason}"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline.to(device))

    def config(self) -> dict[str, Any]:
        return {"pipeline": type(self.pipeline).__name__}
