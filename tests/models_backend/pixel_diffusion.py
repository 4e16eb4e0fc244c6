"""A family in one file: pixels, no autoencoder. Trainer, sampler, platform never heard of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.pretraining import PretrainConfig
from models_backend.families.base import Family
from models_backend.families.batch import TrainingBatch
from models_backend.families.denoised import Denoised
from models_backend.families.settings import SamplingSettings
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.text import TextEncoder

SIZE = 16


@dataclass(frozen=True, kw_only=True)
class ToyPretrainConfig(PretrainConfig):
    """How it is pre-trained."""

    denoiser_training: LoopConfig


class PixelPredictor(nn.Module):
    """Clean pixels from noisy ones, the noise's share and the caption's vector."""

    def __init__(self) -> None:
        super().__init__()
        self.caption = nn.Linear(384, 3 * SIZE * SIZE)
        self.mix = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, noisy: Tensor, pooled: Tensor) -> Tensor:
        drawn = self.caption(pooled).view(-1, 3, SIZE, SIZE)
        return self.mix(torch.cat([noisy, drawn], dim=1)) + drawn


class PixelDiffusion(Family):
    """No autoencoder, no U-Net of diffusers, one step of sampling a noise level."""

    name = "toy_pixel_diffusion"
    pretrain_config = ToyPretrainConfig
    image_size = (SIZE, SIZE)

    def __init__(self) -> None:
        self.network = PixelPredictor()
        self.text_encoder = TextEncoder()

    @classmethod
    def from_config(cls, config: ToyPretrainConfig) -> Self:
        return cls()

    def part(self, name: str) -> nn.Module:
        return {"denoiser": self.network}[name]

    def loss(self, batch: TrainingBatch, part: str | None = None) -> Tensor:
        z, share = batch["z"], batch["u"].view(-1, 1, 1, 1)
        noisy = (1 - share) * z + share * batch["noise"]
        return (self.network(noisy, batch["pooled"]) - z).square().mean(dim=(1, 2, 3))

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
    ) -> Denoised:
        pooled = self.text_encoder.encode(prompts).pooled
        x = torch.stack(
            [
                torch.randn((3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))
                for seed in seeds
            ]
        )
        for step in range(settings.steps):
            share = 1 - (step + 1) / settings.steps
            x = (1 - share) * self.network(x, pooled) + share * x
        return Denoised.of(x)

    def to_pixels(self, latents: Tensor, size: tuple[int, int] | None) -> Tensor:
        return latents

    def save(self, folder: Path) -> None:
        write_json_atomically(folder / "config.json", self.config())
        save_file(self.network.state_dict(), folder / "pixels.safetensors")

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        assert read_json(folder / "config.json")["image_size"] == [SIZE, SIZE]
        model = cls()
        model.network.load_state_dict(load_file(folder / "pixels.safetensors"))
        model.network.to(device).eval()
        return model

    def config(self) -> dict[str, Any]:
        return {"image_size": [SIZE, SIZE]}
