"""What diffusion families share when they sample: noise by seed, texts, guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from models_backend.families.settings import SamplingSettings
from models_backend.nn.schedule import NoiseSchedule
from models_backend.nn.text_rows import TextEmbedding, TextRows

Predict = Callable[[Tensor, Tensor, TextEmbedding], Tensor]
"""What a network predicts from noisy (B, ...) at time t, for the texts of B examples."""


def noise_by_seed(seeds: Sequence[int], shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return normal noise (B, *shape), drawn on the CPU: each row from its own seed alone."""
    draws = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(draws).to(device)


def texts_to_sample(
    encoder: TextRows, prompts: Sequence[str], settings: SamplingSettings
) -> TextEmbedding:
    """Return embeddings of the prompts; before them, for guidance, of what it leaves."""
    blank = [settings.negative_prompt] * len(prompts)
    return encoder.encode([*blank, *prompts] if settings.guidance_scale != 1.0 else prompts)


def guided(predict: Predict, z: Tensor, t: Tensor, text: TextEmbedding, scale: float) -> Tensor:
    """Return the prediction, moved away from the blank one by classifier-free guidance."""
    if scale == 1.0:
        return predict(z, t, text)
    blank, conditional = predict(torch.cat([z, z]), t, text).chunk(2)
    return blank + scale * (conditional - blank)


def undo_noise(
    predict: Predict,
    z: Tensor,
    text: TextEmbedding,
    settings: SamplingSettings,
    scheduler: Any,
    *,
    first: int | None = None,
) -> Tensor:
    """Go through a diffusers scheduler's steps, the `first` ones or all; return what is left.

    Where DDIM thresholds the clean image, the noise is taken anew from what that left. By default
    diffusers goes on with the noise predicted, so that image and noise no longer make what the
    network saw, and what was cut off comes back with every step: more steps, worse pictures.
    """
    scheduler.set_timesteps(settings.steps)
    given = {}
    if isinstance(scheduler, DDIMScheduler) and scheduler.config["thresholding"]:
        given = {"use_clipped_model_output": True}
    # The scheduler looks its steps up on the CPU; the network is told them where it is.
    times = scheduler.timesteps.to(z.device)
    for t, there in zip(scheduler.timesteps[:first], times[:first], strict=True):
        predicted = guided(predict, z, there, text, settings.guidance_scale)
        z = scheduler.step(predicted, t, z, **given).prev_sample
    return z


def last_step_with_gradient(
    predict: Predict,
    z: Tensor,
    text: TextEmbedding,
    settings: SamplingSettings,
    schedule: NoiseSchedule,
    graded: int,
) -> Tensor:
    """Return what is left of noise `z` after `graded` steps without a gradient and one with it.

    The last step goes straight to the end, from wherever the steps before it came to.
    """
    scheduler = schedule.sampler("default")
    with torch.no_grad():
        z = undo_noise(predict, z, text, settings, scheduler, first=graded)
    t = scheduler.timesteps[graded].to(z.device)
    predicted = guided(predict, z, t, text, settings.guidance_scale)
    return schedule.clean(predicted, z, t.expand(len(z)))
