"""The scheduler a diffusers pipeline is called with."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from models_backend.errors import InputError

_SCHEDULERS = {
    "ddim": DDIMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "euler": FlowMatchEulerDiscreteScheduler,
}


def accepted_samplers(pipeline: Any, own: Any) -> list[str]:
    """Return the samplers that fit what the pipeline's denoiser was trained to predict."""
    if own is None or hasattr(pipeline, "prior_pipe"):
        return ["default"]  # a pipeline of pipelines keeps a scheduler in each
    if type(pipeline).__name__ == "LatentConsistencyModelPipeline":
        return ["default"]  # made for its own steps
    # A flow-matching model sampled as a diffusion model gives noise, not an error.
    return [*(name for name, kind in _SCHEDULERS.items() if kind in own.compatibles), "default"]


def fresh_scheduler(pipeline: Any, own: Any, sampler: str) -> Any:
    """Return a scheduler for one call: of `own` kind and settings, or another that fits.

    Raises:
        InputError: a sampler that does not fit.
    """
    accepted = accepted_samplers(pipeline, own)
    if sampler not in accepted:
        raise InputError(
            f"sampler {sampler!r} does not fit this pipeline, whose own is "
            f"{type(own).__name__}; accepted are {', '.join(accepted)}"
        )
    if sampler == "default":
        # A copy: a call binds its generators to it, and leaves its state behind when it breaks off.
        return copy.deepcopy(own)
    if sampler == "ddim" and "clip_sample" not in own.config:
        # Made for a scheduler that never clips; DDIM would, at 1, which cuts latents off.
        return DDIMScheduler.from_config(own.config, clip_sample=False)
    return _SCHEDULERS[sampler].from_config(own.config)


def draw_from(scheduler: Any, generators: list[torch.Generator]) -> None:
    """Let every step that draws noise draw it from the samples' own generators.

    The pipelines of SD3 and Flux hand their scheduler none, and a stochastic one would then draw
    from the process's.
    """
    if scheduler is not None and "generator" in inspect.signature(scheduler.step).parameters:
        scheduler.step = functools.partial(scheduler.step, generator=generators)
