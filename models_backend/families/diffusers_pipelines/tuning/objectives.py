"""What a pipeline's denoiser was trained to predict, told by its scheduler.

z are scaled latents (B, C, h, w), noise is standard normal, u uniform in [0, 1) places an example
between the two.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from models_backend.errors import InputError

_PREDICTIONS = ("epsilon", "v_prediction", "sample")
_EDGE = 1e-5
"""How near to 0 and 1 the quantile of a normal is taken."""


@dataclass(frozen=True)
class Noised:
    """What the network is given, and what it should say."""

    noisy: Tensor
    """(B, C, h, w)"""
    t: Tensor
    """(B,): time in training steps, 0 to 1000 of most schedulers; of a flow not whole."""
    target: Tensor
    """(B, C, h, w)"""


class Objective(ABC):
    """Mixes latents with noise."""

    @abstractmethod
    def __call__(self, z: Tensor, noise: Tensor, u: Tensor) -> Noised:
        """Return what is learned at u."""

    @abstractmethod
    def levels(self, u: Tensor) -> Tensor:
        """Return times as shares, 0 (the image) to 1 (noise), for u (B,)."""

    @abstractmethod
    def sampler(self, steps: int) -> Any:
        """Return a fresh scheduler of so many steps that draws no noise and keeps no memory."""

    @abstractmethod
    def clean(self, predicted: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Return the latents that a prediction for z at one of its times t () amounts to."""


class Diffusion(Objective):
    """Epsilon, velocity (Salimans and Ho 2022) or the latents, on the scheduler's own betas.

    The time is one of its training steps, each as likely.
    """

    def __init__(self, config: Any) -> None:
        scheduler: Any = DDPMScheduler.from_config(config)
        self.prediction = str(scheduler.config["prediction_type"])
        if self.prediction not in _PREDICTIONS:
            raise InputError(
                f"its scheduler says prediction_type {self.prediction!r}: tuned are "
                f"{', '.join(_PREDICTIONS)} and flow matching"
            )
        self.steps = int(scheduler.config["num_train_timesteps"])
        self._alphas: Tensor = scheduler.alphas_cumprod.double()
        self._config = config

    def _steps_at(self, u: Tensor) -> Tensor:
        return (u * self.steps).long().clamp(max=self.steps - 1)

    def levels(self, u: Tensor) -> Tensor:
        return self._steps_at(u) / self.steps

    def __call__(self, z: Tensor, noise: Tensor, u: Tensor) -> Noised:
        t = self._steps_at(u)
        alphas = self._alphas[t.cpu()].view(-1, 1, 1, 1)
        signal, rest = (each.to(z) for each in (alphas.sqrt(), (1 - alphas).sqrt()))
        noisy = signal * z + rest * noise
        if self.prediction == "epsilon":
            return Noised(noisy, t, noise)
        if self.prediction == "sample":
            return Noised(noisy, t, z)
        return Noised(noisy, t, signal * noise - rest * z)

    def sampler(self, steps: int) -> Any:
        # Latents have no bounds to clip to; where a configuration is silent, DDIM would.
        scheduler: Any = DDIMScheduler.from_config(
            self._config, clip_sample=False, thresholding=False, set_alpha_to_one=True
        )
        scheduler.set_timesteps(steps)
        return scheduler

    def clean(self, predicted: Tensor, z: Tensor, t: Tensor) -> Tensor:
        alpha = self._alphas[int(t)]
        signal, rest = float(alpha.sqrt()), float((1 - alpha).sqrt())
        if self.prediction == "epsilon":
            return (z - rest * predicted) / signal
        return predicted if self.prediction == "sample" else signal * z - rest * predicted


class RectifiedFlow(Objective):
    """Rectified flow: from the latents straight to the noise (Esser et al. 2024, section 3).

    The share of noise is logit-normal, as there, then shifted towards noise as the scheduler shifts
    its steps: by a constant (SD3), or by the number of the image's tokens (Flux).
    """

    def __init__(self, scheduler: Any, tokens: int) -> None:
        self.steps = int(scheduler.config["num_train_timesteps"])
        self._shift = float(scheduler.config["shift"])
        self._scheduler = scheduler
        self._mu: float | None = None
        if scheduler.config.get("use_dynamic_shifting", False):
            self._mu = shift_for(tokens, scheduler.config)

    def __call__(self, z: Tensor, noise: Tensor, u: Tensor) -> Noised:
        share = self.share_of_noise(u).to(z)
        s = share.view(-1, 1, 1, 1)
        return Noised((1 - s) * z + s * noise, share * self.steps, noise - z)

    def levels(self, u: Tensor) -> Tensor:
        return self.share_of_noise(u)

    def sampler(self, steps: int) -> Any:
        scheduler = copy.deepcopy(self._scheduler)
        scheduler.set_timesteps(steps, **({} if self._mu is None else {"mu": self._mu}))
        return scheduler

    def clean(self, predicted: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return z - float(t) / self.steps * predicted

    def share_of_noise(self, u: Tensor) -> Tensor:
        """Return the share of noise, in (0, 1), for uniform u."""
        inner = u.double().clamp(_EDGE, 1 - _EDGE)
        share = torch.sigmoid(math.sqrt(2) * torch.erfinv(2 * inner - 1))
        if self._mu is not None:
            shifted: Tensor = self._scheduler.time_shift(self._mu, 1.0, share)
            return shifted
        return self._shift * share / (1 + (self._shift - 1) * share)


def shift_for(tokens: int, config: Any) -> float:
    """Return Flux's mu for an image of so many tokens: a line through two sizes."""
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return float(low + (high - low) * (tokens - few) / (many - few))


def objective_of(scheduler: Any, tokens: int) -> Objective:
    """Return what a pipeline with this scheduler learns from an image of so many tokens.

    Raises:
        InputError: nothing that is tuned here.
    """
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        return RectifiedFlow(scheduler, tokens)
    if DDPMScheduler not in getattr(scheduler, "compatibles", []):
        raise InputError(
            f"its scheduler is a {type(scheduler).__name__}, whose training is not known here: "
            "tuned are pipelines on DDPM's schedules (DDIM, DPM-Solver, Euler, PNDM and the like) "
            "and FlowMatchEulerDiscreteScheduler"
        )
    return Diffusion(scheduler.config)
