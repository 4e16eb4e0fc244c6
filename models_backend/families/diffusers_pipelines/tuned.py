"""A diffusers pipeline that is tuned: Stable Diffusion, SDXL, SD3, Flux, PixArt.

Its network alone is trained, whole or by an adapter, towards what its own scheduler says it
predicts, on latents of its own autoencoder and texts of its own encoders. What is saved is a
pipeline's directory again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from models_backend.checkpoint_format import PIPELINE_INDEX, TUNED_PIPELINE
from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import LoraConfig, TuneConfig
from models_backend.errors import CheckpointError, InputError
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.diffusers_pipelines.arguments import (
    is_guidance_embedded,
    size_factor,
)
from models_backend.families.diffusers_pipelines.files import load_directory
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.families.diffusers_pipelines.tuning.activations import kept_bytes
from models_backend.families.diffusers_pipelines.tuning.kinds import PipelineKind, kind_of
from models_backend.families.diffusers_pipelines.tuning.latents import Latents
from models_backend.families.diffusers_pipelines.tuning.lora import (
    add_lora,
    merged_state,
    save_adapter,
)
from models_backend.families.diffusers_pipelines.tuning.objectives import Objective, objective_of
from models_backend.families.diffusers_pipelines.tuning.saving import save_pipeline
from models_backend.families.diffusers_pipelines.tuning.texts import PipelineTexts, encoder_names
from models_backend.families.guidance import guided, texts_to_sample
from models_backend.families.settings import SamplingSettings
from models_backend.nn.memory import tensor_bytes
from models_backend.nn.precision import sampling_autocast
from models_backend.nn.reading import Reading
from models_backend.nn.text_rows import TextEmbedding


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a pipeline has while it is tuned."""

    folder: Path
    """The parent's directory."""
    kind: PipelineKind
    latents: Latents
    lora: LoraConfig | None


class TunedPipeline(DiffusersPipeline):
    """A pipeline that is, or was, tuned here; sampled as any other."""

    name = TUNED_PIPELINE

    def __init__(self, pipeline: Any, tuning: Tuning | None = None, image_size: int = 0) -> None:
        super().__init__(pipeline)
        self._tuning = tuning
        self._objectives: dict[int, Objective] = {}
        if tuning is not None:
            self.text_encoder = PipelineTexts(tuning.kind, tuning.folder)
            self.image_size = _image_size(tuning, image_size)
            self.size_multiple = size_factor(pipeline)

    @classmethod
    def load_to_tune(cls, folder: Path, config: TuneConfig) -> Self:
        if not (folder / PIPELINE_INDEX).is_file():
            raise CheckpointError(f"{folder} is not a whole pipeline ({PIPELINE_INDEX} is missing)")
        dtype = torch.bfloat16 if config.weights == "bf16" else torch.float32
        pipeline = load_directory(folder, "cpu", without=encoder_names(folder), dtype=dtype)
        try:
            kind = kind_of(pipeline)
            latents = Latents(pipeline.vae)
            objective_of(pipeline.scheduler, 1)
            if config.lora is not None:
                add_lora(kind.network, config.lora, config.seed)
            tuning = Tuning(folder, kind, latents, config.lora)
            return cls(pipeline, tuning, config.image_size)
        except InputError as error:
            raise InputError(f"{folder}: {error}") from None

    @property
    def _tuned(self) -> Tuning:
        if self._tuning is None:
            raise CheckpointError("this pipeline was loaded to be sampled, not to be tuned")
        return self._tuning

    # -- training ---------------------------------------------------------------------------------

    def prepare(self, pixels: Tensor, part: str) -> Tensor:
        """Return scaled latents (B, C, h, w)."""
        return self._tuned.latents.of(pixels)

    def prepared_for_cache(
        self, part: str, size: tuple[int, int]
    ) -> tuple[str, tuple[int, ...]] | None:
        return self._tuned.latents.digest(), self._latent_shape(size)

    def noise_levels(self, u: Tensor) -> Tensor:
        z = torch.empty(1, *self._latent_shape(self.image_size), device="meta")
        return self._objective(z).levels(u)

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        """Return the mean squared error, (B,), of what the network predicts."""
        noised = self._objective(batch["z"])(batch["z"], batch["noise"], batch["u"])
        text = TextEmbedding(batch["tokens"], batch["mask"], batch["pooled"])
        said = self._predict(noised.noisy, noised.t, text, batch["framing"])
        error = (said - noised.target.float()).square()
        return error.mean(dim=(1, 2, 3))

    def _predict(
        self, z: Tensor, t: Tensor, text: TextEmbedding, framing: Tensor | None = None
    ) -> Tensor:
        """Return what the network says of latents (B, C, h, w) at time t () or (B,)."""
        tuning = self._tuned
        network, factor = tuning.kind.network, tuning.latents.factor
        said: Tensor = tuning.kind.predict(
            network,
            z.to(network.dtype),
            t.expand(len(z)),
            text.to(z.device, network.dtype),
            (z.shape[2] * factor, z.shape[3] * factor),
            framing,
        )
        return said.float()

    def graded_images(
        self, prompts: Sequence[str], noise: Tensor, settings: SamplingSettings, *, graded: int
    ) -> Tensor:
        """As every family's; sampled by DDIM, or along the flow, whatever sampler it has itself."""
        if is_guidance_embedded(self.pipeline):  # it is told its guidance and asked once
            settings = replace(settings, guidance_scale=1.0)
        z = noise.to(self.device)
        objective = self._objective(z)
        scheduler = objective.sampler(settings.steps)
        text = texts_to_sample(self.text_encoder, prompts, settings)
        scale = settings.guidance_scale
        times = scheduler.timesteps
        with torch.no_grad():
            for t in times[:graded]:
                predicted = guided(self._predict, z, t.to(z.device), text, scale)
                z = scheduler.step(predicted, t, z).prev_sample
        predicted = guided(self._predict, z, times[graded].to(z.device), text, scale)
        return self._tuned.latents.decoded(objective.clean(predicted, z, times[graded]))

    def _objective(self, z: Tensor) -> Objective:
        side = self._tuned.kind.tokens_a_side
        tokens = (z.shape[2] // side) * (z.shape[3] // side)
        if tokens not in self._objectives:
            # Not the pipeline's scheduler of now: sampling puts others in its place.
            self._objectives[tokens] = objective_of(self._own_scheduler, tokens)
        return self._objectives[tokens]

    def kept_by_example(self, part: str, loop: LoopConfig) -> tuple[int, int]:
        tuning = self._tuned
        is_half = loop.mixed_precision == "bf16" or tuning.kind.network.dtype == torch.bfloat16
        return kept_bytes(
            tuning.kind,
            self._latent_shape(self.image_size),
            self.text_encoder.encode([""]),
            self.image_size,
            tuning.lora,
            torch.bfloat16 if is_half else torch.float32,
        )

    def bytes_beside(self, part: str) -> int:
        return tensor_bytes([self.pipeline.vae], self.device)

    def _latent_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        latents = self._tuned.latents
        return latents.channels, size[0] // latents.factor, size[1] // latents.factor

    def to(self, device: torch.device | str) -> Self:
        """Move the network and the autoencoder; text encoders follow at their next use."""
        self.denoiser.to(device)
        self.pipeline.vae.to(device)
        self.text_encoder.to(device)
        return self

    # -- sampling ---------------------------------------------------------------------------------

    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        if self._tuning is None:
            return super().denoise(prompts=prompts, seeds=seeds, settings=settings)
        if settings.height is None and settings.width is None:
            height, width = self.image_size
            settings = replace(settings, height=height, width=width)
        with sampling_autocast(self.device, self._tuning.kind.network.dtype):
            return super().denoise(prompts=prompts, seeds=seeds, settings=settings)

    def _arguments(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> dict[str, Any]:
        """While it is tuned, of embeddings that are kept: its text encoders are at rest."""
        arguments = super()._arguments(prompts, seeds, settings)
        if self._tuning is None:
            return arguments
        kind = self._tuning.kind
        for name in ("prompt", "negative_prompt"):
            arguments.pop(name, None)
        dtype = kind.network.dtype
        text = self.text_encoder.encode(prompts).to(self.device, dtype)
        blank = self.text_encoder.encode([settings.negative_prompt] * len(prompts))
        return arguments | kind.prompt_arguments(text, blank.to(self.device, dtype))

    def readings(self, prompts: Sequence[str]) -> list[Reading | None]:
        if self._tuning is None:
            return super().readings(prompts)
        found: list[Reading | None] = self.text_encoder.readings(prompts)
        return found

    # -- files ------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the pipeline; of an adapter, merged, and beside it the adapter alone."""
        if self._tuning is None:
            super().save(folder)
            return
        tuning = self._tuning
        network = tuning.kind.network
        state = network.state_dict() if tuning.lora is None else merged_state(network)
        save_pipeline(tuning.folder, folder, tuning.kind.component, network, state)
        if tuning.lora is not None:
            save_adapter(network, tuning.kind.component, folder)

    def config(self) -> dict[str, Any]:
        if self._tuning is None:
            return super().config()
        return super().config() | {"image_size": list(self.image_size)}


def _image_size(tuning: Tuning, asked: int) -> tuple[int, int]:
    """Return height and width that are trained; the pipeline's own where none is asked for."""
    pipeline, network = tuning.kind.pipeline, tuning.kind.network
    own = network.config.get("sample_size") or getattr(pipeline, "default_sample_size", None)
    if not asked and own is None:
        raise InputError("its configuration tells no size; give image_size")
    height, width = (own, own) if isinstance(own, int) else tuple(own or (0, 0))
    factor = tuning.latents.factor
    size = (asked, asked) if asked else (height * factor, width * factor)
    least = size_factor(pipeline)
    if any(side % least for side in size):
        raise InputError(f"image_size {size[0]}: accepted are multiples of {least}")
    return size
