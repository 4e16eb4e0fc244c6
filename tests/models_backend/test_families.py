"""The families interface: a kind of model the trainer and the sampler have never heard of."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models_backend import checkpoint, sample
from models_backend.data.dataset import load_images, to_unit_range
from models_backend.data.manifest import read_records
from models_backend.families.base import FAMILIES, Family, SamplerSettings, register
from models_backend.families.denoised import Denoised
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.text import TextEncoder
from models_backend.sample import generate, load_pipeline
from models_backend.training.config import LoopConfig
from models_backend.training.trainer import StepLoss, Trainer

SIZE = 16


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

    def __init__(self) -> None:
        self.network = PixelPredictor()
        self.text_encoder = TextEncoder()

    @property
    def denoiser(self) -> nn.Module:
        return self.network

    def loss(
        self, batch: dict[str, Tensor], *, noise_offset: float, generator: torch.Generator
    ) -> Tensor:
        z = batch["z"]
        noise = torch.randn(z.shape, generator=generator)
        share = torch.rand((len(z), 1, 1, 1), generator=generator)
        noisy = (1 - share) * z + share * noise
        return (self.network(noisy, batch["pooled"]) - z).square().mean(dim=(1, 2, 3))

    @torch.no_grad()
    def denoise(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
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


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    register(PixelDiffusion)
    yield
    del FAMILIES[PixelDiffusion.name]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A checkpoint of the toy family, made by the trainer as it is."""
    torch.manual_seed(0)
    model = PixelDiffusion()
    records = [record for record in read_records(data) if record.style == "flat"]
    z = model.normalise(model.encode(to_unit_range(load_images(data, records, SIZE))))
    text = model.text_encoder.encode([record.caption for record in records])

    def step(generator: torch.Generator) -> StepLoss:
        rows = torch.randint(len(z), (8,), generator=generator)
        part = text[rows]
        batch = {"z": z[rows], "tokens": part.tokens, "mask": part.mask, "pooled": part.pooled}
        return StepLoss(model.loss(batch, noise_offset=0.0, generator=generator), rows, {})

    run = tmp_path_factory.mktemp("toy")
    loop = LoopConfig(steps=150, batch_size=8, learning_rate=3e-3, warmup_steps=5, ema_decay=0.9)
    Trainer(module=model.denoiser, config=loop, seed=1, stage="toy", run=run).fit(step)
    training = {
        "recipe": "pretrain", "seed": 1, "code_version": "abc", "data_manifest_sha256": "0",
        "images": len(records),
    }  # fmt: skip
    checkpoint.save(
        model, run / "checkpoint", name="toy", role="pretrained", training=training,
        licences=["MIT"],
    )  # fmt: skip
    return run / "checkpoint"


def test_the_sampler_draws_what_the_new_family_learned(trained, data):
    model = load_pipeline(trained, "cpu")
    assert isinstance(model, PixelDiffusion)
    records = [record for record in read_records(data) if record.style == "flat"]
    real = load_images(data, records, SIZE).float().mean(dim=(2, 3)).numpy()
    images = generate(
        model,
        prompts=[record.caption for record in records],
        seeds=range(len(records)),
        settings=SamplerSettings(steps=5),
    )
    drawn = np.stack([np.asarray(image).mean(axis=(0, 1)) for image in images])
    nearest = np.linalg.norm(drawn[:, None] - real[None], axis=2).argmin(axis=1)
    assert nearest.tolist() == list(range(len(records)))


def test_contact_sheets_take_the_new_family(trained, tmp_path, checkpoint_dir):
    (tmp_path / "prompts.txt").write_text("an apple\na boat\n")
    out = tmp_path / "sheet.png"
    folders = [str(trained), str(checkpoint_dir)]
    arguments = ["--prompts", str(tmp_path / "prompts.txt"), "--out", str(out), "--steps", "2"]
    assert sample.main([*folders, *arguments]) == 0
    assert out.is_file()


def test_the_platform_accepts_the_new_familys_directory(trained):
    from evalplatform.checkpoints.layout import inspect

    assert inspect(trained).family == "toy_pixel_diffusion"
    card = (trained / "README.md").read_text()
    assert "toy pixel diffusion" in card
    assert "diffusers reads" not in card
