"""Whether our own model would load: its networks built without memory, held against the files."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import init_empty_weights

from models_backend.errors import CheckpointError
from models_backend.families.latent_diffusion import files
from models_backend.families.text_width import text_width
from models_backend.families.weights import OWN_WEIGHTS, WEIGHTS, check_whole, tuples
from models_backend.files import read_json
from models_backend.nn.architecture import AutoencoderConfig, UNetConfig
from models_backend.nn.autoencoder import Autoencoder
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.shapes import refuse_misfit, tensors_in
from models_backend.nn.unet import build_unet


def check(folder: Path) -> None:
    """Hold weights against configuration. Text encoders are no part of it, and not looked for.

    Raises:
        CheckpointError: it would not load; the text names the part.
    """
    check_whole(folder, files.NAME, _check)


def _check(folder: Path) -> None:
    config = read_json(folder / "config.json")
    height, width = config["image_size"]
    if not (isinstance(height, int) and isinstance(width, int)):
        raise CheckpointError(f"config.json: image_size is {config['image_size']}, not two numbers")
    autoencoder = AutoencoderConfig(**tuples(config["autoencoder"]))
    channels = autoencoder.latent_channels
    NoiseSchedule.from_dict(config["schedule"])
    width, encoders = text_width(files.text_entry(config))
    with init_empty_weights():
        network = Autoencoder(autoencoder)
        unet = build_unet(
            UNetConfig(**tuples(config["unet"])),
            latent_channels=channels, text_width=width, encoders=encoders,
        )  # fmt: skip
    refuse_misfit("unet", unet.state_dict(), tensors_in([files.unet_weights(folder)]))
    if autoencoder.kind == "kl":
        found = tensors_in([folder / "vae" / WEIGHTS])
        refuse_misfit("vae", network.kl.state_dict(), found)
        return
    inside = folder / "autoencoder"
    refuse_misfit("autoencoder", network.state_dict(), tensors_in([inside / OWN_WEIGHTS]))
    statistic = torch.empty(channels, device="meta")
    wanted = {"latent_mean": statistic, "latent_std": statistic}
    refuse_misfit("autoencoder", wanted, tensors_in([inside / files.STATISTICS]))
