"""How a family is asked to sample. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.errors import InputError

SAMPLERS = ("ddim", "dpm++", "euler", "confidence", "halton")
"""Of diffusion the first three; of masked transformers the order in which tokens are settled."""
MAX_SIDE = 8192


@dataclass(frozen=True)
class SamplingSettings:
    """How images are sampled from a model."""

    sampler: str = "ddim"
    """One of :data:`SAMPLERS` that fits the model, or `default`: the model's own choice."""
    steps: int = 30
    """Denoising steps, 1 to 1000."""
    guidance_scale: float = 3.0
    """Classifier-free guidance, 1 is none, up to 100."""
    negative_prompt: str = ""
    """What guidance moves away from; empty is the unconditional embedding."""
    height: int | None = None
    """Pixels, a multiple of the model's downsampling factor; None is the model's own size."""
    width: int | None = None
    """As `height`."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.sampler not in (*SAMPLERS, "default"):
            accepted = ", ".join((*SAMPLERS, "default"))
            raise InputError(f"sampler {self.sampler!r}: accepted are {accepted}")
        if not 1 <= self.steps <= 1000:
            raise InputError(f"steps {self.steps}: accepted are 1 to 1000")
        if not 0 <= self.guidance_scale <= 100:
            raise InputError(f"guidance_scale {self.guidance_scale}: accepted are 0 to 100")
        for name in ("height", "width"):
            side = getattr(self, name)
            if side is not None and not 1 <= side <= MAX_SIDE:
                raise InputError(f"{name} {side}: accepted are 1 to {MAX_SIDE}")
