"""Latent diffusion: a denoiser over the autoencoder's latents, guided by text (Emu's architecture).

Ours where the paper is silent: what is predicted and how noise is scheduled (`nn.schedule`; by
default velocity, unweighted, on the squared-cosine schedule, which keeps the noisiest steps in the
loss, where it is decided what an image shows); latents normalised per channel.

Shapes: z (B, Z, h, w), text tokens (B, L, W) with mask (B, L) and sentence vector (B, W).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models_backend.errors import InputError
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.guidance import (
    last_step_with_gradient,
    noise_by_seed,
    texts_to_sample,
    undo_noise,
)
from models_backend.families.latent_diffusion import checking, files
from models_backend.families.latent_diffusion.config import LatentPretrainConfig
from models_backend.families.latent_diffusion.parts import NAME, ModelParts
from models_backend.families.settings import SamplingSettings
from models_backend.families.trained import TrainedFamily
from models_backend.nn.architecture import (
    AutoencoderConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
)
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.precision import (
    lay_out_for_convolutions,
    sampling_autocast,
    sampling_dtype,
)
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_rows import TextEmbedding
from models_backend.nn.transparency import on_white

_GRID = 4  # latents are pooled to 4 x 4 before they are compared


class LatentDiffusion(TrainedFamily):
    """Autoencoder, text-conditioned U-Net and the statistics that normalise latents."""

    name = NAME
    pretrain_config = LatentPretrainConfig
    compressor = "autoencoder"

    def __init__(self, parts: ModelParts) -> None:
        self.autoencoder = parts.autoencoder
        self.unet = parts.unet
        self.unet_config = parts.unet_config
        self.image_size = parts.image_size
        self.text_encoder = parts.text_encoder
        self.schedule = parts.schedule
        self.latent_mean = parts.latent_mean
        self.latent_std = parts.latent_std

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

    @classmethod
    def from_config(cls, config: LatentPretrainConfig) -> Self:
        return cls.create(
            config.autoencoder_config(),
            config.unet_config(),
            (config.image_size, config.image_size),
            config.text,
            config.schedule,
        )

    @property
    def made_of(self) -> ModelParts:
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

    def part(self, name: str) -> nn.Module:
        module: nn.Module = {"autoencoder": self.autoencoder, "denoiser": self.unet}[name]
        return module

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

    def settle(self, pictures: Sequence[Tensor]) -> None:
        """Set mean and standard deviation per channel from the latents of all pictures."""
        self.fit_latent_statistics(torch.cat([self.encode(part).cpu() for part in pictures]))

    def fit_latent_statistics(self, latents: Tensor) -> None:
        """Set mean and standard deviation per channel from latents (N, Z, h, w)."""
        self.latent_mean = latents.mean(dim=(0, 2, 3)).to(self.device)
        self.latent_std = latents.std(dim=(0, 2, 3)).clamp_min(1e-3).to(self.device)

    def normalise(self, latents: Tensor) -> Tensor:
        """Return latents (N, Z, h, w) on the scale of the noise."""
        return (latents - _per_channel(self.latent_mean)) / _per_channel(self.latent_std)

    def prepare(self, pixels: Tensor, part: str) -> Tensor:
        return self.normalise(self.encode(pixels))

    def prepared_for_cache(
        self, part: str, size: tuple[int, int]
    ) -> tuple[str, tuple[int, ...]] | None:
        digest = hashlib.sha256()
        for statistic in (self.latent_mean, self.latent_std):
            digest.update(statistic.detach().cpu().numpy().tobytes())
        for name, value in sorted(self.autoencoder.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
        config = self.autoencoder.config
        height, width = size
        return digest.hexdigest(), (
            config.latent_channels, height // config.factor, width // config.factor
        )  # fmt: skip

    def features(self, pixels: Tensor) -> Tensor:
        """Return mean and spread of each latent channel in each cell of a coarse grid."""
        parts = []
        for part in pixels.split(64):
            z = self.prepare(to_unit_range(part.to(self.device)), "denoiser").float().cpu()
            mean = F.adaptive_avg_pool2d(z, _GRID)
            square = F.adaptive_avg_pool2d(z.square(), _GRID)
            spread = (square - mean.square()).clamp_min(0).sqrt()
            parts.append(torch.cat([mean, spread], dim=1).flatten(1))
        return torch.cat(parts)

    def denormalise(self, latents: Tensor) -> Tensor:
        return latents * _per_channel(self.latent_std) + _per_channel(self.latent_mean)

    def noise_levels(self, u: Tensor) -> Tensor:
        return self.schedule.levels(u)

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
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
        shape = (self.autoencoder.config.latent_channels, height // factor, width // factor)
        z = noise_by_seed(seeds, shape, self.device)
        text = texts_to_sample(self.text_encoder, prompts, settings).to(self.device, self.dtype)
        with sampling_autocast(self.device, self.dtype):
            z = undo_noise(self._predict, z, text, settings, scheduler)
        return Denoised.of(z)

    def graded_images(
        self, prompts: Sequence[str], noise: Tensor, settings: SamplingSettings, *, graded: int
    ) -> Tensor:
        text = texts_to_sample(self.text_encoder, prompts, settings).to(self.device, self.dtype)
        z = last_step_with_gradient(
            self._predict, noise.to(self.device), text, settings, self.schedule, graded
        )
        pixels: Tensor = self.autoencoder.decode(self.denormalise(z).to(self.dtype))
        return on_white(pixels.float())

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        with sampling_autocast(self.device, self.dtype):
            pixels: Tensor = self.autoencoder.decode(self.denormalise(latents).to(self.dtype))
        return pixels.float()

    def _size(self, settings: SamplingSettings) -> tuple[int, int]:
        height, width = settings.height or self.image_size[0], settings.width or self.image_size[1]
        factor = self.autoencoder.config.factor
        for name, side in (("height", height), ("width", width)):
            if side % factor:
                raise InputError(f"{name} {side}: accepted are multiples of {factor}")
        return height, width

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
        return files.describe(self.made_of)

    def save(self, folder: Path) -> None:
        """Write half-precision weights; arithmetic at load is in single precision again."""
        files.save(self.made_of, folder)

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when configuration and weights do not fit each other."""
        return cls(files.load(folder)).to(device).for_sampling()

    @classmethod
    def check(cls, folder: Path) -> None:
        checking.check(folder)


def _per_channel(statistic: Tensor) -> Tensor:
    return statistic.view(1, -1, 1, 1)
