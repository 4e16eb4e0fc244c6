"""What a diffusers pipeline is called with, and which settings it would ignore without a word.

Every class of pipeline has its own arguments; they are read from the signature of its call. What a
class cannot honour is refused: an image must be what its settings say.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler

from models_backend.errors import CheckpointError, InputError
from models_backend.families.settings import SamplingSettings

_LEAST_FACTOR = 8
_PIXART = ("PixArtAlphaPipeline", "PixArtSigmaPipeline")
_PIXART_SIZES = (32, 64, 128, 256)
"""Latent sizes for which diffusers knows the shapes that PixArt was trained with."""
_PACKED = ("FluxPipeline", "QwenImagePipeline")
"""Two by two latents are one token there."""


def call_arguments(
    pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
) -> dict[str, Any]:
    """Return the arguments of the pipeline's call: one CPU generator a prompt, settings, sizes.

    Raises:
        InputError: a setting that this pipeline would ignore, or cannot take.
    """
    accepted = inspect.signature(pipeline.__call__).parameters
    if "prompt" not in accepted:
        raise CheckpointError(f"{type(pipeline).__name__} makes no image from a prompt")
    arguments: dict[str, Any] = {
        "prompt": list(prompts),
        "num_inference_steps": _steps(pipeline, settings),
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
    }
    arguments |= _guidance(pipeline, accepted, len(prompts), settings)
    arguments |= _size(pipeline, accepted, settings)
    if "clean_caption" in accepted:
        # Rewrites prompts where two further packages happen to be installed.
        arguments["clean_caption"] = False
    if type(pipeline).__name__ in _PIXART:
        arguments["use_resolution_binning"] = _is_drawn_at_known_sizes(pipeline)
    return arguments


def _steps(pipeline: Any, settings: SamplingSettings) -> int:
    multistep = isinstance(pipeline.scheduler, DPMSolverMultistepScheduler)
    if settings.steps == 1 and multistep and type(pipeline).__name__ == "PixArtAlphaPipeline":
        raise InputError("steps 1: PixArtAlphaPipeline needs 2 or more, or the sampler ddim")
    return settings.steps


# -- guidance -------------------------------------------------------------------------------------


def _guidance(
    pipeline: Any, accepted: Any, count: int, settings: SamplingSettings
) -> dict[str, Any]:
    """Return guidance and negative prompt under the names this class has for them."""
    scale, negative = settings.guidance_scale, settings.negative_prompt
    if is_guidance_embedded(pipeline):
        # One pass with the scale as an input: there is nothing a negative prompt could enter.
        if negative:
            raise _no_negative(pipeline, settings, "its guidance is part of the network")
        return {"guidance_scale": scale}
    if not {"guidance_scale", "true_cfg_scale"} & accepted.keys():
        if scale not in (0, 1):
            raise InputError(
                f"guidance_scale {scale:g}: {type(pipeline).__name__} takes none; accepted is 1"
            )
        if negative:
            raise _no_negative(pipeline, settings, "it takes no guidance scale")
        return {}
    if 0 < scale < 1:
        raise InputError(
            f"guidance_scale {scale:g}: {type(pipeline).__name__} guides from above 1; accepted "
            "are 1 (no guidance) to 100"
        )
    if negative and "negative_prompt" not in accepted:
        raise _no_negative(pipeline, settings, "it takes none")
    if negative and scale <= 1:
        raise _no_negative(pipeline, settings, "at guidance_scale 1 it does not guide")
    if "true_cfg_scale" in accepted:
        # Guides only where there is a negative prompt, be it empty.
        if scale <= 1:
            return {"true_cfg_scale": 1.0}
        return {"true_cfg_scale": scale, "negative_prompt": [negative] * count}
    # None is not "": SDXL then guides away from zeros, as it was trained.
    return {"guidance_scale": scale} | ({"negative_prompt": [negative] * count} if negative else {})


def is_guidance_embedded(pipeline: Any) -> bool:
    """Whether the denoiser takes the guidance scale as an input (Flux dev, LCM)."""
    unet, transformer = (getattr(pipeline, name, None) for name in ("unet", "transformer"))
    if unet is not None:
        return getattr(unet.config, "time_cond_proj_dim", None) is not None
    return bool(transformer is not None and getattr(transformer.config, "guidance_embeds", False))


def _no_negative(pipeline: Any, settings: SamplingSettings, why: str) -> InputError:
    return InputError(
        f"negative_prompt {settings.negative_prompt[:40]!r}: {type(pipeline).__name__} would "
        f"ignore it ({why}); leave it empty"
    )


# -- sizes ----------------------------------------------------------------------------------------


def _size(pipeline: Any, accepted: Any, settings: SamplingSettings) -> dict[str, int]:
    """Return height and width, or nothing for the pipeline's own."""
    if (settings.height is None) != (settings.width is None):
        # diffusers replaces both by its own when one is missing, without a word.
        raise InputError("height or width is missing: a diffusers pipeline needs both, or none")
    if settings.height is None or settings.width is None:
        return {}
    factor = _LEAST_FACTOR if _is_drawn_at_known_sizes(pipeline) else size_factor(pipeline)
    for name, side in (("height", settings.height), ("width", settings.width)):
        if name not in accepted:
            raise InputError(f"{name} {side}: {type(pipeline).__name__} has one size only")
        if side % factor:
            raise InputError(f"{name} {side}: accepted are multiples of {factor}")
    return {"height": settings.height, "width": settings.width}


def _is_drawn_at_known_sizes(pipeline: Any) -> bool:
    """Return whether it draws at the nearest size it was trained for, and resizes that."""
    if type(pipeline).__name__ not in _PIXART:
        return False
    return pipeline.transformer.config.sample_size in _PIXART_SIZES


def size_factor(pipeline: Any) -> int:
    """Return what sides its network takes are multiples of; others it rounds down, or fails at."""
    patch = getattr(pipeline, "patch_size", 1)
    if type(pipeline).__name__ in _PACKED:
        patch = 2
    if type(pipeline).__name__ in _PIXART:
        patch = pipeline.transformer.config.patch_size
    return math.lcm(_LEAST_FACTOR, getattr(pipeline, "vae_scale_factor", 1) * patch)
