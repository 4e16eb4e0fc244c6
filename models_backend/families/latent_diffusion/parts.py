"""What a latent diffusion model is made of: its model and its files both know it by this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from models_backend.nn.architecture import (
    AutoencoderConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
)
from models_backend.nn.autoencoder import Autoencoder
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEncoder
from models_backend.nn.unet import build_unet

NAME = "latent_diffusion"


@dataclass(frozen=True, eq=False)
class ModelParts:
    """Networks, noise schedule and the statistics that normalise latents."""

    autoencoder: Autoencoder
    unet: UNet2DConditionModel
    unet_config: UNetConfig
    image_size: tuple[int, int]
    """Height and width in pixels."""
    text_encoder: TextEncoder
    schedule: NoiseSchedule
    latent_mean: Tensor
    """(Z,), per latent channel."""
    latent_std: Tensor
    """(Z,), per latent channel."""

    @classmethod
    def fresh(
        cls,
        autoencoder: AutoencoderConfig,
        unet: UNetConfig,
        image_size: tuple[int, int],
        text: TextEncoder | TextConfig | None = None,
        schedule: NoiseSchedule | ScheduleConfig | None = None,
    ) -> Self:
        """Return parts with fresh weights, drawn from torch's own generator."""
        encoder = text if isinstance(text, TextEncoder) else TextEncoder(text)
        channels = autoencoder.latent_channels
        return cls(
            autoencoder=Autoencoder(autoencoder),
            unet=build_unet(
                unet,
                latent_channels=channels,
                text_width=encoder.width,
                encoders=len(encoder.parts),
            ),
            unet_config=unet,
            image_size=image_size,
            text_encoder=encoder,
            schedule=schedule if isinstance(schedule, NoiseSchedule) else NoiseSchedule(schedule),
            latent_mean=torch.zeros(channels),
            latent_std=torch.ones(channels),
        )
