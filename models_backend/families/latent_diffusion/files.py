"""A latent diffusion model's directory: diffusers' layout where diffusers has the part.

    config.json            the whole configuration
    unet/                  UNet2DConditionModel.from_pretrained reads it
    scheduler/             the default sampler; its diffusers class reads it
    vae/                   AutoencoderKL.from_pretrained reads it (autoencoders of kind `kl`)
    autoencoder/           our own autoencoder and its latents' statistics (kind `folded`)
    model_index.json, text_encoder/, tokenizer/
                           only where StableDiffusionPipeline makes the very same images

Earlier versions wrote `unet/model.safetensors` and no `unet/config.json`; both are read.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from models_backend.families.latent_diffusion.parts import NAME, ModelParts
from models_backend.families.weights import (
    OWN_WEIGHTS,
    WEIGHTS,
    load_float,
    plain,
    read_whole,
    save_half,
    tuples,
)
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.architecture import AutoencoderConfig, UNetConfig
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text import TextEncoder
from models_backend.nn.text_sources import PACKAGE

STATISTICS = "latents.safetensors"


def describe(model: ModelParts) -> dict[str, Any]:
    """Return the model's configuration as plain values."""
    return {
        "autoencoder": plain(asdict(model.autoencoder.config)),
        "unet": plain(asdict(model.unet_config)),
        "text": model.text_encoder.to_dict(),
        "schedule": model.schedule.to_dict(),
        "image_size": list(model.image_size),
    }


def save(model: ModelParts, folder: Path) -> None:
    """Write the directory's files."""
    write_json_atomically(folder / "config.json", describe(model))
    model.unet.register_to_config(sample_size=_latent_size(model))
    model.unet.save_config(folder / "unet")
    save_half(model.unet.state_dict(), folder / "unet" / WEIGHTS)
    model.schedule.sampler("default").save_config(folder / "scheduler")
    if model.autoencoder.config.kind == "kl":
        _save_vae(model, folder / "vae")
    else:
        statistics = {"latent_mean": model.latent_mean.cpu(), "latent_std": model.latent_std.cpu()}
        save_half(model.autoencoder.state_dict(), folder / "autoencoder" / OWN_WEIGHTS)
        save_file(statistics, folder / "autoencoder" / STATISTICS)
    if is_stable_diffusion(model):
        _save_pipeline(model, folder)


def load(folder: Path) -> ModelParts:
    """Read a directory.

    Raises:
        CheckpointError: configuration and weights do not fit each other, or a text encoder is
            missing.
    """
    return read_whole(folder, NAME, _load)


def _load(folder: Path) -> ModelParts:
    config = read_json(folder / "config.json")
    height, width = config["image_size"]
    model = ModelParts.fresh(
        AutoencoderConfig(**tuples(config["autoencoder"])),
        UNetConfig(**tuples(config["unet"])),
        (height, width),
        TextEncoder.from_dict(text_entry(config)),
        NoiseSchedule.from_dict(config["schedule"]),
    )
    model.unet.load_state_dict(load_float(unet_weights(folder)))
    if model.autoencoder.config.kind == "kl":
        model.autoencoder.kl.load_state_dict(load_float(folder / "vae" / WEIGHTS))
    else:
        weights = folder / "autoencoder" / OWN_WEIGHTS
        model.autoencoder.load_state_dict(load_float(weights))
        statistics = load_file(folder / "autoencoder" / STATISTICS)
        model = replace(
            model, latent_mean=statistics["latent_mean"], latent_std=statistics["latent_std"]
        )
    model.autoencoder.eval()
    model.unet.eval()
    return model


def unet_weights(folder: Path) -> Path:
    """Return the denoiser's file, which earlier versions called otherwise."""
    now = folder / "unet" / WEIGHTS
    return now if now.exists() else folder / "unet" / OWN_WEIGHTS


def text_entry(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a configuration records of its text encoders; the earliest recorded one alone."""
    if "text" in config:
        now: dict[str, Any] = config["text"]
        return now
    earlier = config["text_encoder"]
    entry = {"name": PACKAGE, "version": earlier["version"], "sha256": earlier["sha256"]}
    return {"masked": True, "encoders": [{"tokens": 24, **entry}]}


# -- parts that diffusers reads -------------------------------------------------------------------


def is_stable_diffusion(model: ModelParts) -> bool:
    """Whether diffusers' StableDiffusionPipeline makes the same images from the same parts."""
    parts = model.text_encoder.parts
    return (
        model.autoencoder.config.kind == "kl"
        and not model.autoencoder.config.alpha
        and model.schedule.config.target != "flow"
        and not model.unet_config.sentence_vector
        and not model.text_encoder.config.masked
        and len(parts) == 1
        and parts[0].source.kind == "clip_text_model"
    )


def _save_vae(model: ModelParts, folder: Path) -> None:
    """Write the AutoencoderKL with the latents' normalisation folded into its 1 x 1 convolutions.

    diffusers knows one scaling factor for all channels; folded in, the pipeline needs none, and
    a loaded model's statistics are 0 and 1.
    """
    kl = model.autoencoder.kl
    state = {name: tensor.detach().float().cpu() for name, tensor in kl.state_dict().items()}
    mean, std = model.latent_mean.cpu().float(), model.latent_std.cpu().float()
    # Means become (mean - m) / s, log-variances fall by 2 log s.
    scale = torch.cat([1 / std, torch.ones_like(std)])
    shift = torch.cat([-mean / std, -2 * std.log()])
    state["quant_conv.weight"] = state["quant_conv.weight"] * scale.view(-1, 1, 1, 1)
    state["quant_conv.bias"] = state["quant_conv.bias"] * scale + shift
    # z s + m, then the convolution.
    weight, bias = state["post_quant_conv.weight"], state["post_quant_conv.bias"]
    state["post_quant_conv.bias"] = bias + (weight * mean.view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
    state["post_quant_conv.weight"] = weight * std.view(1, -1, 1, 1)
    kl.save_config(folder)
    save_half(state, folder / WEIGHTS)


def _save_pipeline(model: ModelParts, folder: Path) -> None:
    """Add what makes the directory a StableDiffusionPipeline: its index and its text encoder."""
    part = model.text_encoder.parts[0]
    tokenizer, encoder = part.source.load(part.tokens)
    tokenizer.model_max_length = part.tokens
    encoder.save_pretrained(folder / "text_encoder", safe_serialization=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", type(model.schedule.sampler("default")).__name__],
        "text_encoder": ["transformers", type(encoder).__name__],
        "tokenizer": ["transformers", type(tokenizer).__name__],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    write_json_atomically(folder / "model_index.json", index)


def _latent_size(model: ModelParts) -> int | tuple[int, int]:
    h, w = (side // model.autoencoder.config.factor for side in model.image_size)
    return h if h == w else (h, w)
