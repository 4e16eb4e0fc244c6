"""Whether our own model would load: its networks built without memory, held against the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights

from models_backend.errors import CheckpointError
from models_backend.families.latent_diffusion import files
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
    try:
        _check(folder)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a strange configuration leads to
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"not a whole {files.NAME} model ({type(error).__name__}: {reason})"
        ) from error


def _check(folder: Path) -> None:
    config = read_json(folder / "config.json")
    height, width = config["image_size"]
    if not (isinstance(height, int) and isinstance(width, int)):
        raise CheckpointError(f"config.json: image_size is {config['image_size']}, not two numbers")
    autoencoder = AutoencoderConfig(**files.tuples(config["autoencoder"]))
    channels = autoencoder.latent_channels
    NoiseSchedule.from_dict(config["schedule"])
    text_width, encoders = _text(config)
    with init_empty_weights():
        network = Autoencoder(autoencoder)
        unet = build_unet(
            UNetConfig(**files.tuples(config["unet"])),
            latent_channels=channels, text_width=text_width, encoders=encoders,
        )  # fmt: skip
    refuse_misfit("unet", unet.state_dict(), tensors_in([files.unet_weights(folder)]))
    if autoencoder.kind == "kl":
        found = tensors_in([folder / "vae" / files.WEIGHTS])
        refuse_misfit("vae", network.kl.state_dict(), found)
        return
    inside = folder / "autoencoder"
    refuse_misfit("autoencoder", network.state_dict(), tensors_in([inside / files.OWN_WEIGHTS]))
    statistic = torch.empty(channels, device="meta")
    wanted = {"latent_mean": statistic, "latent_std": statistic}
    refuse_misfit("autoencoder", wanted, tensors_in([inside / files.STATISTICS]))


def _text(config: dict[str, Any]) -> tuple[int, int]:
    """Return how many channels a token has, and how many encoders give them."""
    recorded = config.get("text", {}).get("encoders", [])
    if recorded and all("width" in entry for entry in recorded):
        return sum(int(entry["width"]) for entry in recorded), len(recorded)
    encoder = files.text_encoder(config)
    return encoder.width, len(encoder.parts)
