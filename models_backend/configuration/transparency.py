"""How a decoder learns transparency. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from models_backend.configuration.checking import check_range, check_run
from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TransparencyConfig:
    """Training of a decoder's alpha channel; the encoder and the denoiser stay as they are."""

    name: str
    training: LoopConfig
    recipe: str = "transparency"
    seed: int = 0
    held_out: float = 0.15
    """Share of the concepts that are measured on, and never trained on."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_run(self.name, "pretrained", self.seed)
        if self.recipe != "transparency":
            raise InputError(f"recipe {self.recipe!r}: accepted is transparency")
        check_range("held_out", self.held_out, 0.01, 0.5)
