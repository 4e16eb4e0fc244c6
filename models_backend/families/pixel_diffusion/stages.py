"""What pixel diffusion is made of: its networks, one a stage, and what each sees."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.families.pixel_diffusion.config import PixelStageConfig
from models_backend.families.weights import plain
from models_backend.nn.folded_unet import FoldedUNet
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEncoder

NAME = "pixel_diffusion"


@dataclass(frozen=True, eq=False)
class PixelStages:
    """Networks of rising size, the base first, with what they share."""

    sizes: tuple[tuple[int, int], ...]
    """Height and width of each stage's images; the last is the model's."""
    configs: tuple[PixelStageConfig, ...]
    networks: tuple[FoldedUNet, ...]
    text_encoder: TextEncoder
    schedule: NoiseSchedule
    thresholding: float

    @classmethod
    def fresh(
        cls,
        sizes: tuple[tuple[int, int], ...],
        configs: tuple[PixelStageConfig, ...],
        text_encoder: TextEncoder,
        schedule: NoiseSchedule,
        thresholding: float,
    ) -> PixelStages:
        """Return stages with fresh weights, drawn from torch's own generator."""
        networks = fresh_networks(configs, text_encoder.width, len(text_encoder.parts))
        return cls(sizes, configs, networks, text_encoder, schedule, thresholding)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the stages' names, as parts and as folders."""
        return stage_names(len(self.configs))

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain values."""
        return {
            "stages": [
                {"size": list(size), "unfold": config.unfold,
                 "augmentation": config.augmentation,
                 "augmentation_most": config.augmentation_most,
                 "residual": config.residual,
                 "unet": plain(asdict(config.unet))}
                for size, config in zip(self.sizes, self.configs, strict=True)
            ],
            "text": self.text_encoder.to_dict(),
            "schedule": self.schedule.to_dict(),
            "thresholding": self.thresholding,
            "image_size": list(self.sizes[-1]),
        }  # fmt: skip


def fresh_networks(
    configs: tuple[PixelStageConfig, ...], text_width: int, encoders: int
) -> tuple[FoldedUNet, ...]:
    """Return each stage's network with fresh weights."""
    return tuple(
        FoldedUNet(
            config.unet,
            unfold=config.unfold,
            upsamples=bool(place),
            text_width=text_width,
            encoders=encoders,
        )
        for place, config in enumerate(configs)
    )


def stage_names(count: int) -> tuple[str, ...]:
    """Return the stages' names, as parts and as folders."""
    return ("base", *(f"upsampler_{place}" for place in range(1, count)))


def smaller(pixels: Tensor, factor: int) -> Tensor:
    """Return images (B, 3, H, W) at H/factor, by the mean of each square."""
    return F.avg_pool2d(pixels, factor) if factor > 1 else pixels


def noised_small(small: Tensor, noise: Tensor, level: Tensor, size: tuple[int, int]) -> Tensor:
    """Return small images (B, 3, h, w) with noise of each one's level (B,), at `size`.

    Level s keeps cos(s pi/2) of the image and puts sin(s pi/2) of the noise on it: variance stays.
    """
    angle = (level * (math.pi / 2)).view(-1, 1, 1, 1)
    noised = angle.cos() * small + angle.sin() * noise
    return F.interpolate(noised, size=size, mode="bilinear", align_corners=False)


def beyond(pixels: Tensor, small: Tensor, residual: float) -> Tensor:
    """Return what images (B, 3, H, W) have beyond small ones enlarged, divided by `residual`.

    With `residual` 0 it is the images themselves.
    """
    return (pixels - _enlarged(small, pixels)) / residual if residual else pixels


def with_residual(learned: Tensor, small: Tensor, residual: float) -> Tensor:
    """Return images (B, 3, H, W) in [-1, 1]: :func:`beyond` undone, for a `residual` above 0."""
    return (_enlarged(small, learned) + residual * learned).clamp(-1, 1)


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    """Return small images bicubically at the size of others, within their range of [-1, 1]."""
    large = F.interpolate(small, size=like.shape[2:], mode="bicubic", align_corners=False)
    return large.clamp(-1, 1)


def pooled_noise(noise: Tensor, factor: int) -> Tensor:
    """Return normal noise (B, 3, H, W) as normal noise of unit variance at H/factor."""
    return factor * F.avg_pool2d(noise, factor)


def noise_of_stages(
    seeds: list[int], sizes: list[tuple[int, int]], device: torch.device
) -> list[tuple[Tensor, Tensor | None]]:
    """Return for each stage its noise, and what is put on its small image (None: the base).

    Drawn on the CPU, for each image from its own seed alone.
    """
    drawn: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in sizes]
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        for place, size in enumerate(sizes):
            drawn[place][0].append(torch.randn((3, *size), generator=generator))
            if place:
                drawn[place][1].append(torch.randn((3, *sizes[place - 1]), generator=generator))
    return [
        (torch.stack(own).to(device), torch.stack(small).to(device) if small else None)
        for own, small in drawn
    ]
