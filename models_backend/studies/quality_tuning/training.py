"""The three models of a study, trained by the recipes as they are, in the minutes given."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import torch

from models_backend.configuration.tuning import QualityTuneConfig
from models_backend.families.batch import training_batch
from models_backend.families.latent_diffusion.config import LatentPretrainConfig
from models_backend.families.latent_diffusion.model import LatentDiffusion
from models_backend.nn.text import TextEncoder
from models_backend.recipes.autoencoder import AutoencoderLoss
from models_backend.recipes.configs import read_config
from models_backend.runs.running import train
from models_backend.runs.training_run import TrainingRun
from models_backend.studies.quality_tuning.judge import PictureJudge
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import default_accelerator

CONFIGS = Path(__file__).parents[2] / "configs"
ROLES = ("pretrained", "quality_tuned", "baseline")
# Shares of the time; what is missing to 1 is for sampling, text embeddings and start-up.
SHARES = {"judge": 0.08, "autoencoder": 0.12, "denoiser": 0.24, "tuning": 0.08}
_JUDGE_STEPS_AT_MOST = 1500


def plan_steps(minutes: float) -> dict[str, int]:
    """Return steps for each part, from a few timed ones on the device that will train.

    `autoencoder` and `denoiser` are trained twice: for the pre-trained model and the baseline.
    """
    config = read_config(CONFIGS / "pretrained.toml", [])
    assert isinstance(config, LatentPretrainConfig)
    size = config.image_size
    model = LatentDiffusion.create(config.autoencoder_config(), config.unet_config(), (size, size))
    device = default_accelerator().device
    model.to(device)
    seconds = {
        "judge": _time_judge(size, device),
        "autoencoder": _time_autoencoder(model, config),
        "denoiser": _time_denoiser(model, config),
    }
    seconds["tuning"] = seconds["denoiser"]
    steps = {part: max(1, int(minutes * 60 * SHARES[part] / seconds[part])) for part in SHARES}
    return steps | {"judge": min(steps["judge"], _JUDGE_STEPS_AT_MOST)}


def _time_autoencoder(model: LatentDiffusion, config: LatentPretrainConfig) -> float:
    batch = config.autoencoder_training.batch_size
    images = torch.rand(batch, 3, *model.image_size, device=model.device) * 2 - 1
    images = images.contiguous(memory_format=torch.channels_last)
    model.autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = AutoencoderLoss(model.autoencoder, config.autoencoder_loss)
    draw = StepDraw.of(0, "timing", 0, batch_size=batch)
    return _seconds(lambda: loss(images, draw=draw)[0].mean().backward(), model.device)


def _time_denoiser(model: LatentDiffusion, config: LatentPretrainConfig) -> float:
    batch = config.denoiser_training.batch_size
    factor = model.autoencoder.config.factor
    side = config.image_size // factor
    text = TextEncoder().encode([""] * batch)
    channels = model.autoencoder.config.latent_channels
    latents = torch.randn(batch, channels, side, side, device=model.device)
    inputs = training_batch(latents, text, torch.randn_like(latents), torch.rand(batch))
    return _seconds(lambda: model.loss(inputs).mean().backward(), model.device)


def _time_judge(size: int, device: torch.device) -> float:
    judge, images = PictureJudge(["a"], ["b"]).to(device), torch.rand(64, 3, size, size)
    return _seconds(lambda: judge(images).mean().backward(), device)


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """Seconds of one step: the median of five after two that warm up; a quarter on top for the
    optimiser, the average and the log."""
    times = []
    for _ in range(7):
        started = time.perf_counter()
        step()
        if device.type == "cuda":  # it only queues
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return 1.25 * sorted(times[2:])[2]


def train_models(
    data: Path, tuning_list: Path, steps: dict[str, int], out: Path
) -> dict[str, Path]:
    """Train or find the three checkpoints; return their directories by role."""
    pretraining = [
        f"autoencoder_training.steps={steps['autoencoder']}",
        f"denoiser_training.steps={steps['denoiser']}",
    ]
    found = {
        role: train(_job(role, pretraining, data, out, None), fresh=False)
        for role in ("pretrained", "baseline")
    }
    tuning = [f"training.steps={steps['tuning']}", f"tuning_list={tuning_list}"]
    job = _job("quality_tuned", tuning, data, out, found["pretrained"])
    found["quality_tuned"] = train(job, fresh=False)
    return {role: found[role] for role in ROLES}


def tune_parent(
    parent: Path, config: QualityTuneConfig, data: Path, tuning_list: Path, out: Path
) -> dict[str, Path]:
    """Tune `parent`, of any family, or find it tuned; return both directories by role."""
    tuned = dataclasses.replace(config, tuning_list=str(tuning_list))
    job = TrainingRun(config=tuned, data=data, out=out / "quality_tuned", parent=parent)
    return {"pretrained": parent, "quality_tuned": train(job, fresh=False)}


def _job(
    role: str, overrides: list[str], data: Path, out: Path, parent: Path | None
) -> TrainingRun:
    config = read_config(CONFIGS / f"{role}.toml", overrides)
    return TrainingRun(config=config, data=data, out=out / role, parent=parent)
