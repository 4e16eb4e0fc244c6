"""Noise: how much at which time, what the denoiser predicts, and which sampler undoes it.

`epsilon` predicts the noise, `v` the velocity sqrt(a) noise - sqrt(1 - a) z (Salimans and Ho 2022),
both on a chain of 1000 steps; `flow` predicts noise - z on the straight way between them (rectified
flow, Liu et al. 2022). Emu states none of this.

Shapes: z and noise (B, Z, h, w), t (B,) in [0, 1000).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from models_backend.errors import InputError
from models_backend.nn.architecture import ScheduleConfig

TRAIN_STEPS = 1000
SAMPLERS_OF: dict[str, tuple[str, ...]] = {
    "epsilon": ("ddim", "dpm++"),
    "v": ("ddim", "dpm++"),
    "flow": ("euler",),
}
"""Samplers that fit each target, the default one first."""
_MOST_SATURATED = 100.0
_PREDICTION_TYPES = {"epsilon": "epsilon", "v": "v_prediction"}


class NoiseSchedule:
    """Noising for training and the samplers."""

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        self.config = config or ScheduleConfig()
        self._chain = None if self.config.target == "flow" else DDPMScheduler(**self._settings())

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NoiseSchedule:
        """Read what :meth:`to_dict` wrote, or the diffusers settings of earlier versions."""
        if "prediction_type" in values:
            targets = {name: target for target, name in _PREDICTION_TYPES.items()}
            target = targets[values["prediction_type"]]
            return cls(ScheduleConfig(target=target, beta_schedule=values["beta_schedule"]))
        return cls(ScheduleConfig(**values))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self.config)

    def times(self, u: Tensor) -> Tensor:
        """Return times for u (B,) uniform in [0, 1): whole steps, or for `flow` any below 1000."""
        if self._chain is not None:
            return (u * TRAIN_STEPS).long()
        if self.config.flow_time == "logit_normal":
            u = torch.special.ndtri(u).sigmoid()
        return u * TRAIN_STEPS

    def levels(self, u: Tensor) -> Tensor:
        """Return the times of u as shares, 0 (the image) to 1 (noise)."""
        return self.times(u) / TRAIN_STEPS

    def noise_and_target(self, z: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return z noised up to t, and what the denoiser is to predict from it."""
        if self._chain is None:
            share = (t / TRAIN_STEPS).view(-1, 1, 1, 1)
            return (1 - share) * z + share * noise, noise - z
        noisy: Tensor = self._chain.add_noise(z, noise, t)
        if self.config.target == "epsilon":
            return noisy, noise
        return noisy, self._chain.get_velocity(z, noise, t)

    def clean(self, predicted: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """Return z as the prediction has it: :meth:`noise_and_target` undone, for t (B,)."""
        if self._chain is None:
            return noisy - (t / TRAIN_STEPS).view(-1, 1, 1, 1) * predicted
        kept = self._chain.alphas_cumprod.to(noisy)[t.long()].view(-1, 1, 1, 1)
        if self.config.target == "epsilon":
            return (noisy - (1 - kept).sqrt() * predicted) / kept.sqrt()
        return kept.sqrt() * noisy - (1 - kept).sqrt() * predicted

    def sampler(self, name: str, *, thresholding: float | None = None) -> Any:
        """Return a fresh diffusers scheduler; `default` is the target's first.

        `thresholding`, for pixels: at each step the clean image is scaled back to [-1, 1] by this
        quantile of its values (dynamic thresholding, Saharia et al. 2022, section 2.3), or with 0
        cut off there. `flow` has none.

        Raises:
            InputError: a sampler that does not fit the target: it would give noise, not an image.
        """
        accepted = SAMPLERS_OF[self.config.target]
        if name not in (*accepted, "default"):
            raise InputError(
                f"sampler {name!r}: this model predicts {self.config.target}; accepted are "
                f"{', '.join(accepted)} and default"
            )
        chosen = accepted[0] if name == "default" else name
        if chosen == "euler":
            return FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAIN_STEPS)
        settings = self._settings()
        if thresholding is not None:
            # With a most of 1.0, diffusers' own, values are only cut off, whatever the quantile.
            settings |= {
                "thresholding": True,
                "dynamic_thresholding_ratio": thresholding or 1.0,
                "sample_max_value": _MOST_SATURATED if thresholding else 1.0,
            }
        if chosen == "dpm++":
            return DPMSolverMultistepScheduler(**settings, timestep_spacing="trailing")
        # Trailing spacing starts at the last step, where the input is pure noise, as sampling does.
        # It reads no offset; StableDiffusionPipeline wants to see 1 there.
        return DDIMScheduler(
            **settings, clip_sample=False, timestep_spacing="trailing", steps_offset=1
        )

    def _settings(self) -> dict[str, Any]:
        settings = {
            "num_train_timesteps": TRAIN_STEPS,
            "beta_schedule": self.config.beta_schedule,
            "prediction_type": _PREDICTION_TYPES[self.config.target],
        }
        if self.config.beta_schedule == "scaled_linear":  # Stable Diffusion's ends
            settings |= {"beta_start": 0.00085, "beta_end": 0.012}
        return settings
