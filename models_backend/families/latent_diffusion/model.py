"""Latent diffusion: a denoiser over the autoencoder's latents, guided by text (Emu's architecture).

Ours where the paper is silent: what is predicted and how noise is scheduled (`nn.schedule`; by
default velocity, unweighted, on the squared-cosine schedule, which keeps the noisiest steps in the
loss, where it is decided what an image shows); latents normalised per channel.

Shapes: z (B, Z, h, w), text tokens (B, L, W) with mask (B, L) and sentence vector (B, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.latent_diffusion import checking, files
from models_backend.families.latent_diffusion.parts import NAME, ModelParts
from models_backend.families.settings import SamplingSettings
from models_backend.nn.architecture import (
    AutoencoderConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
)
from models_backend.nn.precision import (
    lay_out_for_convolutions,
    sampling_autocast,
    sampling_dtype,
)
from models_backend.nn.reading import Reading
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEmbedding, TextEncoder


class LatentDiffusion(Family):
    """Autoencoder, text-conditioned U-Net and the statistics that normalise latents."""

    name = NAME

    def __init__(self, parts: ModelParts) -> None:
        self.autoencoder = parts.autoencoder
        self.unet = parts.unet
        self.unet_config = parts.unet_config
        self.image_size = parts.image_size
        self.text_encoder = parts.text_encoder
        self.schedule = parts.schedule
        self.latent_mean = parts.latent_mean
        self.latent_std = parts.latent_std
        self.dtype = torch.float32

    @classmethod
    def create(
        cls,
        autoencoder: AutoencoderConfig,
        unet: UNetConfig,
        image_size: tuple[int, int],
        text: TextEncoder | TextConfig | None = None,
        schedule: NoiseSchedule | ScheduleConfig | None = None,
    ) -> Self:
        """Return a model with fresh weights."""
        return cls(ModelParts.fresh(autoencoder, unet, image_size, text, schedule))

    @property
    def parts(self) -> ModelParts:
        """What it is made of now."""
        return ModelParts(
            autoencoder=self.autoencoder,
            unet=self.unet,
            unet_config=self.unet_config,
            image_size=self.image_size,
            text_encoder=self.text_encoder,
            schedule=self.schedule,
            latent_mean=self.latent_mean,
            latent_std=self.latent_std,
        )

    @property
    def denoiser(self) -> nn.Module:
        module: nn.Module = self.unet
        return module

    @property
    def device(self) -> torch.device:
        return next(self.autoencoder.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """Move everything; the text encoders follow at their next use."""
        self.autoencoder.to(device)
        self.unet.to(device)
        self.text_encoder.to(device)
        self.latent_mean, self.latent_std = self.latent_mean.to(device), self.latent_std.to(device)
        return self

    def for_sampling(self) -> Self:
        """Turn the weights to the precision that the device samples in; not to be trained then."""
        self.dtype = sampling_dtype(self.device)
        for network in (self.autoencoder, self.unet):
            network.to(self.dtype)
            lay_out_for_convolutions(network, self.device)
        return self

    # -- training ---------------------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the latent means, not yet normalised, of images (B, 3, H, W) in [-1, 1]."""
        mean: Tensor = self.autoencoder.encode(images)[0]
        return mean

    def fit_latent_statistics(self, latents: Tensor) -> None:
        """Set mean and standard deviation per channel from latents (N, Z, h, w)."""
        self.latent_mean = latents.mean(dim=(0, 2, 3))
        self.latent_std = latents.std(dim=(0, 2, 3)).clamp_min(1e-3)

    def normalise(self, latents: Tensor) -> Tensor:
        return (latents - _per_channel(self.latent_mean)) / _per_channel(self.latent_std)

    def denormalise(self, latents: Tensor) -> Tensor:
        return latents * _per_channel(self.latent_std) + _per_channel(self.latent_mean)

    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the squared error, (B,), of what is predicted for normalised latents `z`.

        Latents say on which device it is computed: what else the batch holds may lie anywhere.
        """
        z, u, noise = batch["z"], batch["u"], batch["noise"]
        text = TextEmbedding(batch["tokens"], batch["mask"], batch["pooled"]).to(z.device, z.dtype)
        t = self.schedule.times(u).to(z.device)
        noisy, target = self.schedule.noise_and_target(z, noise.to(z.device), t)
        if z.is_cuda:
            noisy = noisy.contiguous(memory_format=torch.channels_last)
        return (self._predict(noisy, t, text) - target).square().mean(dim=(1, 2, 3))

    # -- sampling ---------------------------------------------------------------------------------

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        """Return normalised latents; each one's noise comes from its own seed.

        Raises:
            InputError: a size that is no multiple of the autoencoder's factor, or a sampler that
                does not fit what the denoiser predicts.
        """
        height, width = self._size(settings)
        scheduler = self.schedule.sampler(settings.sampler)
        factor = self.autoencoder.config.factor
        z = self._initial_noise(seeds, height // factor, width // factor)
        text = self._texts(prompts, settings).to(self.device, self.dtype)
        scheduler.set_timesteps(settings.steps)
        # The scheduler looks its steps up on the CPU; the network is told them where it is.
        times = scheduler.timesteps.to(self.device)
        with sampling_autocast(self.device, self.dtype):
            for t, there in zip(scheduler.timesteps, times, strict=True):
                predicted = self._guided(z, there, text, settings.guidance_scale)
                z = scheduler.step(predicted, t, z).prev_sample
        return Denoised.of(z)

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        with sampling_autocast(self.device, self.dtype):
            pixels: Tensor = self.autoencoder.decode(self.denormalise(latents).to(self.dtype))
        return pixels.float()

    def readings(self, prompts: Sequence[str]) -> list[Reading | None]:
        return list(self.text_encoder.readings(prompts))

    def modules(self) -> list[nn.Module]:
        return [self.autoencoder, self.unet, *self.text_encoder.loaded]

    def unload(self) -> None:
        self.text_encoder.unload()
        super().unload()

    def _size(self, settings: SamplingSettings) -> tuple[int, int]:
        height, width = settings.height or self.image_size[0], settings.width or self.image_size[1]
        factor = self.autoencoder.config.factor
        for name, side in (("height", height), ("width", width)):
            if side % factor:
                raise InputError(f"{name} {side}: accepted are multiples of {factor}")
        return height, width

    def _initial_noise(self, seeds: Sequence[int], h: int, w: int) -> Tensor:
        channels = self.autoencoder.config.latent_channels
        draws = [
            torch.randn((channels, h, w), generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(draws).to(self.device)

    def _texts(self, prompts: Sequence[str], settings: SamplingSettings) -> TextEmbedding:
        """Return embeddings of the prompts; before them, for guidance, of what it leaves."""
        blank = [settings.negative_prompt] * len(prompts)
        guided = settings.guidance_scale != 1.0
        return self.text_encoder.encode([*blank, *prompts] if guided else prompts)

    def _guided(self, z: Tensor, t: Tensor, text: TextEmbedding, scale: float) -> Tensor:
        """Return the prediction, moved away from the blank one by classifier-free guidance."""
        if scale == 1.0:
            return self._predict(z, t, text)
        blank, conditional = self._predict(torch.cat([z, z]), t, text).chunk(2)
        return blank + scale * (conditional - blank)

    def _predict(self, z: Tensor, t: Tensor, text: TextEmbedding) -> Tensor:
        predicted: Tensor = self.unet(
            z.to(self.dtype),
            t,
            text.tokens,
            class_labels=text.pooled if self.unet_config.sentence_vector else None,
            encoder_attention_mask=text.mask if self.text_encoder.config.masked else None,
        ).sample
        return predicted.float()  # samplers add up small steps

    # -- files ------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return files.describe(self.parts)

    def save(self, folder: Path) -> None:
        """Write half-precision weights; arithmetic at load is in single precision again."""
        files.save(self.parts, folder)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when configuration and weights do not fit each other."""
        return cls(files.load(folder)).to(device).for_sampling()

    @classmethod
    def check(cls, folder: Path) -> None:
        checking.check(folder)


def _per_channel(statistic: Tensor) -> Tensor:
    return statistic.view(1, -1, 1, 1)
