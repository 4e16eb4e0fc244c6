"""What trainer, sampler and checkpoints ask of every model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from PIL.Image import Image
from torch import Tensor, nn

from models_backend.errors import InputError

SAMPLERS = ("ddim", "dpm++")


@dataclass(frozen=True)
class SamplerSettings:
    """How images are drawn from a model."""

    sampler: str = "ddim"
    """One of :data:`SAMPLERS`; a diffusers pipeline also takes `default`, its own scheduler."""
    steps: int = 30
    """Denoising steps, 1 to 1000."""
    guidance_scale: float = 3.0
    """Classifier-free guidance, 1 is none, up to 100."""
    negative_prompt: str = ""
    """What guidance moves away from; empty is the unconditional embedding."""
    height: int | None = None
    """Pixels; None is the model's own size."""
    width: int | None = None
    """Pixels; None is the model's own size."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.sampler not in (*SAMPLERS, "default"):
            raise InputError(f"sampler {self.sampler!r}: accepted are {', '.join(SAMPLERS)}")
        if not 1 <= self.steps <= 1000:
            raise InputError(f"steps {self.steps}: accepted are 1 to 1000")
        if not 0 <= self.guidance_scale <= 100:
            raise InputError(f"guidance_scale {self.guidance_scale}: accepted are 0 to 100")
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and (side % 8 or not 8 <= side <= 8192):
                raise InputError(f"{name} {side}: accepted are multiples of 8 up to 8192")


class Family(ABC):
    """A text-to-image model: (caption, noise) to image."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def denoiser(self) -> nn.Module:
        """The part that pre-training and quality-tuning train."""

    @abstractmethod
    def loss(
        self,
        batch: dict[str, Tensor],
        *,
        noise_offset: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the training loss of each example of a prepared batch, shape (B,)."""

    @abstractmethod
    def sample(
        self, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
    ) -> list[Image]:
        """Return one image a prompt; an image depends on its own prompt and seed alone."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and configuration (JSON) into `folder`."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Read what :meth:`save` wrote."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the architecture as plain values."""
