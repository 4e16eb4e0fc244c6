"""The directory of a pixel diffusion model.

    config.json                        the whole configuration
    base/, upsampler_1/, …             UNet2DConditionModel.from_pretrained reads each
    scheduler/                         the default sampler; its diffusers class reads it

There is no `model_index.json`: diffusers has no pipeline that folds pixels and noises the small
image as these networks were trained to see it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate import init_empty_weights

from models_backend.errors import CheckpointError
from models_backend.families.pixel_diffusion.config import PixelStageConfig
from models_backend.families.pixel_diffusion.stages import (
    NAME,
    PixelStages,
    fresh_networks,
    stage_names,
)
from models_backend.families.text_width import text_width
from models_backend.families.weights import (
    WEIGHTS,
    check_whole,
    load_float,
    read_whole,
    save_half,
    tuples,
)
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.architecture import UNetConfig
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.shapes import refuse_misfit, tensors_in
from models_backend.nn.text import TextEncoder


def save(stages: PixelStages, folder: Path) -> None:
    """Write the directory's files."""
    write_json_atomically(folder / "config.json", stages.describe())
    for name, network in zip(stages.names, stages.networks, strict=True):
        network.unet.save_config(folder / name)
        save_half(network.unet.state_dict(), folder / name / WEIGHTS)
    sampler = stages.schedule.sampler("default", thresholding=stages.thresholding)
    sampler.save_config(folder / "scheduler")


def load(folder: Path) -> PixelStages:
    """Read a directory.

    Raises:
        CheckpointError: configuration and weights do not fit each other, or a text encoder is
            missing.
    """
    return read_whole(folder, NAME, _load)


def _load(folder: Path) -> PixelStages:
    config = read_json(folder / "config.json")
    sizes, configs = _stages(config)
    # Earlier versions, which know no residual, cut values off whatever the quantile said.
    is_earlier = "residual" not in config["stages"][0]
    stages = PixelStages.fresh(
        sizes,
        configs,
        TextEncoder.from_dict(config["text"]),
        NoiseSchedule.from_dict(config["schedule"]),
        0.0 if is_earlier else float(config["thresholding"]),
    )
    for name, network in zip(stages.names, stages.networks, strict=True):
        network.unet.load_state_dict(load_float(folder / name / WEIGHTS))
        network.eval()
    return stages


def check(folder: Path) -> None:
    """Hold weights against configuration. Text encoders are no part of it, and not looked for.

    Raises:
        CheckpointError: it would not load; the text names the part.
    """
    check_whole(folder, NAME, _check)


def _check(folder: Path) -> None:
    config = read_json(folder / "config.json")
    sides = config["image_size"]
    if not all(isinstance(side, int) for side in sides) or len(sides) != 2:
        raise CheckpointError(f"config.json: image_size is {sides}, not two numbers")
    NoiseSchedule.from_dict(config["schedule"])
    float(config["thresholding"])
    _, configs = _stages(config)
    with init_empty_weights():
        networks = fresh_networks(configs, *text_width(config["text"]))
    for name, network in zip(stage_names(len(configs)), networks, strict=True):
        found = tensors_in([folder / name / WEIGHTS])
        refuse_misfit(name, network.unet.state_dict(), found)


def _stages(
    config: dict[str, Any],
) -> tuple[tuple[tuple[int, int], ...], tuple[PixelStageConfig, ...]]:
    """Return sizes and configurations of the stages."""
    each = config["stages"]
    sizes = tuple((int(stage["size"][0]), int(stage["size"][1])) for stage in each)
    return sizes, tuple(
        PixelStageConfig(
            UNetConfig(**tuples(stage["unet"])),
            stage["unfold"],
            stage["augmentation"],
            stage["augmentation_most"],
            stage.get("residual", 0.0),  # earlier versions learned whole images
        )
        for stage in each
    )
