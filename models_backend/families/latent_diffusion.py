"""Latent diffusion: a denoiser over the autoencoder's latents, guided by text (Emu's architecture).

Ours where the paper is silent: velocity prediction (Salimans and Ho 2022), unweighted, on the
squared-cosine schedule (Nichol and Dhariwal 2021); latents normalised per channel. Unweighted
velocity keeps the noisiest steps in the loss, where it is decided what to draw.

Shapes: z (B, Z, h, w), text tokens (B, L, 384) with mask (B, L) and sentence vector (B, 384).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models_backend.errors import CheckpointError
from models_backend.families.base import Family, SamplerSettings
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.architecture import AutoencoderConfig, UNetConfig
from models_backend.nn.autoencoder import FACTOR, Autoencoder
from models_backend.nn.text import WIDTH, TextEmbedding, TextEncoder
from models_backend.nn.unet import build_unet

TRAIN_STEPS = 1000
_SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": TRAIN_STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
}


class LatentDiffusion(Family):
    """Autoencoder, text-conditioned U-Net and the statistics that normalise latents."""

    name = "latent_diffusion"

    def __init__(
        self,
        *,
        autoencoder: Autoencoder,
        unet: UNet2DConditionModel,
        image_size: tuple[int, int],
        latent_mean: Tensor | None = None,
        latent_std: Tensor | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        channels = autoencoder.config.latent_channels
        self.autoencoder = autoencoder
        self.unet = unet
        self.image_size = image_size
        self.latent_mean = torch.zeros(channels) if latent_mean is None else latent_mean
        self.latent_std = torch.ones(channels) if latent_std is None else latent_std
        self.text_encoder = text_encoder or TextEncoder()
        self._noise_schedule = DDPMScheduler(**_SCHEDULE)

    @classmethod
    def create(
        cls, autoencoder: AutoencoderConfig, unet: UNetConfig, image_size: tuple[int, int]
    ) -> Self:
        """Return a model with fresh weights."""
        return cls(
            autoencoder=Autoencoder(autoencoder),
            unet=build_unet(unet, latent_channels=autoencoder.latent_channels, text_width=WIDTH),
            image_size=image_size,
        )

    @property
    def denoiser(self) -> nn.Module:
        module: nn.Module = self.unet
        return module

    @property
    def device(self) -> torch.device:
        return next(self.autoencoder.parameters()).device

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

    def loss(
        self, batch: dict[str, Tensor], *, noise_offset: float, generator: torch.Generator
    ) -> Tensor:
        """Return the velocity error, (B,), of normalised latents `z` with text.

        `noise_offset` adds that much of one normal draw per sample and channel to the noise, which
        lets a model make images that are very dark or bright as a whole (Emu uses it when tuning).
        """
        z, text = batch["z"], TextEmbedding(batch["tokens"], batch["mask"], batch["pooled"])
        noise = torch.randn(z.shape, generator=generator)
        if noise_offset:
            noise += noise_offset * torch.randn((*z.shape[:2], 1, 1), generator=generator)
        t = torch.randint(0, TRAIN_STEPS, (len(z),), generator=generator)
        noisy = self._noise_schedule.add_noise(z, noise, t)
        target = self._noise_schedule.get_velocity(z, noise, t)
        return (self._velocity(noisy, t, text) - target).square().mean(dim=(1, 2, 3))

    # -- sampling ---------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
    ) -> list[Image.Image]:
        """Draw images (any size that is a multiple of 8); noise comes from each sample's seed."""
        height, width = settings.height or self.image_size[0], settings.width or self.image_size[1]
        z = self._initial_noise(seeds, height // FACTOR, width // FACTOR)
        text = self.text_encoder.encode(prompts)
        blank = self.text_encoder.encode([settings.negative_prompt] * len(prompts))
        scheduler = _scheduler(settings.sampler)
        scheduler.set_timesteps(settings.steps)
        for t in scheduler.timesteps:
            predicted = self._guided(z, t, text, blank, settings.guidance_scale)
            z = scheduler.step(predicted, t, z).prev_sample
        return _to_images(self.autoencoder.decode(self.denormalise(z)))

    def _initial_noise(self, seeds: Sequence[int], h: int, w: int) -> Tensor:
        channels = self.autoencoder.config.latent_channels
        draws = [
            torch.randn((channels, h, w), generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        return torch.stack(draws).to(self.device)

    def _guided(
        self, z: Tensor, t: Tensor, text: TextEmbedding, blank: TextEmbedding, scale: float
    ) -> Tensor:
        """Return the velocity moved away from `blank` by classifier-free guidance."""
        conditional: Tensor = self._velocity(z, t, text)
        if scale == 1.0:
            return conditional
        unconditional = self._velocity(z, t, blank)
        return unconditional + scale * (conditional - unconditional)

    def _velocity(self, z: Tensor, t: Tensor, text: TextEmbedding) -> Tensor:
        velocity: Tensor = self.unet(
            z,
            t,
            text.tokens.to(self.device),
            class_labels=text.pooled.to(self.device),
            encoder_attention_mask=text.mask.to(self.device),
        ).sample
        return velocity

    # -- files ------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return {
            "autoencoder": self.autoencoder.config_dict(),
            "unet": {
                "widths": list(self.unet.config.block_out_channels),
                "layers": self.unet.config.layers_per_block,
                "heads": self.unet.config.attention_head_dim,
            },
            "text_encoder": self.text_encoder.reference,
            "schedule": dict(_SCHEDULE),
            "image_size": list(self.image_size),
        }

    def save(self, folder: Path) -> None:
        """Write half-precision weights; arithmetic at load is in single precision again."""
        write_json_atomically(folder / "config.json", self.config())
        statistics = {"latent_mean": self.latent_mean, "latent_std": self.latent_std}
        _save_half(self.autoencoder.state_dict(), folder / "autoencoder" / "model.safetensors")
        _save_half(self.unet.state_dict(), folder / "unet" / "model.safetensors")
        save_file(statistics, folder / "autoencoder" / "latents.safetensors")

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when configuration and weights do not fit each other."""
        try:
            return cls._load(folder, device)
        except (KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{folder} is not a whole {cls.name} model ({type(error).__name__}: {reason})"
            ) from error

    @classmethod
    def _load(cls, folder: Path, device: str) -> Self:
        config = read_json(folder / "config.json")
        unet = {**config["unet"], "widths": tuple(config["unet"]["widths"])}
        height, width = config["image_size"]
        model = cls.create(
            AutoencoderConfig(**config["autoencoder"]), UNetConfig(**unet), (height, width)
        )
        _check_text_encoder(config["text_encoder"], model.text_encoder.reference)
        model.autoencoder.load_state_dict(_load_float(folder / "autoencoder" / "model.safetensors"))
        model.unet.load_state_dict(_load_float(folder / "unet" / "model.safetensors"))
        statistics = load_file(folder / "autoencoder" / "latents.safetensors")
        model.latent_mean = statistics["latent_mean"].to(device)
        model.latent_std = statistics["latent_std"].to(device)
        model.autoencoder.to(device).eval()
        model.unet.to(device).eval()
        return model


def _scheduler(name: str) -> Any:
    if name == "dpm++":
        return DPMSolverMultistepScheduler(**_SCHEDULE, timestep_spacing="trailing")
    # Trailing spacing starts at the last step, where the input is pure noise, as sampling does.
    return DDIMScheduler(**_SCHEDULE, clip_sample=False, timestep_spacing="trailing")


def _per_channel(statistic: Tensor) -> Tensor:
    return statistic.view(1, -1, 1, 1)


def _to_images(pixels: Tensor) -> list[Image.Image]:
    """(B, 3, H, W) in [-1, 1] to 8-bit pictures."""
    array = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(picture) for picture in array]


def _save_half(state: dict[str, Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, path)


def _load_float(path: Path) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(path).items()}


def _check_text_encoder(recorded: dict[str, str], installed: dict[str, str]) -> None:
    if recorded["sha256"] != installed["sha256"]:
        raise CheckpointError(
            f"this checkpoint was trained with {recorded['package']} {recorded['version']}; "
            f"version {installed['version']} is installed, and its weights differ"
        )
