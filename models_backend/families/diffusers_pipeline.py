"""Any local diffusers text-to-image pipeline, sampled unchanged: SD, SDXL and the like.

For sampling only: our recipes do not train it. Nothing is fetched and no code from the checkpoint
is run; weights must be safetensors.
"""

from __future__ import annotations

import inspect
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
from models_backend.families.denoised import Denoised
from models_backend.families.diffusers_decoders import (
    decoder_of,
    keep_decoder_exact,
    picture_size,
)

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
        self._decoder = decoder_of(pipeline)
        keep_decoder_exact(pipeline)
        for module in self.modules():
            module.eval()  # or dropout would draw noise of its own

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
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
    ) -> Denoised:
        """Run the pipeline, up to the latents where their decoding is known here.

        One CPU generator a sample, so that batches do not mix their noise.
        """
        self._use_scheduler(settings.sampler)
        arguments: dict[str, Any] = {
            "prompt": list(prompts),
            "num_inference_steps": settings.steps,
            "guidance_scale": settings.guidance_scale,
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        }
        if "clean_caption" in inspect.signature(self.pipeline.__call__).parameters:
            # Rewrites prompts where two further packages happen to be installed.
            arguments["clean_caption"] = False
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
        if self._decoder is None:
            return Denoised(None, images=tuple(self.pipeline(**arguments).images))
        latents = self.pipeline(**arguments, output_type="latent").images
        return Denoised.of(latents, picture_size(self.pipeline, settings.height, settings.width))

    def to_images(self, latents: Tensor, size: tuple[int, int] | None) -> list[Image]:
        assert self._decoder is not None
        return self._decoder(self.pipeline, latents, size)

    def modules(self) -> list[nn.Module]:
        parts = self.pipeline.components.values()
        return [part for part in parts if isinstance(part, nn.Module)]

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
