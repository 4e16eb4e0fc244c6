"""Safety detectors: how surely an image shows what nobody should meet unasked.

A detector gives scores and decides nothing: a threshold belongs to its users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from models_backend.errors import InputError


@dataclass(frozen=True)
class DetectorIdentity:
    """What a score rests on: two scores are comparable where all of this is the same.

    `version` covers code and reading of images, `weights_sha256` the weights; `unsafe_labels` are
    the labels whose scores make an image unsafe.
    """

    name: str
    version: str
    weights_sha256: str
    unsafe_labels: tuple[str, ...]


@dataclass(frozen=True)
class SafetyScore:
    """One image's score in [0, 1], the largest of its unsafe labels', and what else was seen."""

    score: float
    labels: dict[str, float]

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:  # also false for NaN
            raise InputError(f"a safety score is {self.score}; a detector gives 0 to 1.")


class Detector(Protocol):
    """What every detector does."""

    @property
    def identity(self) -> DetectorIdentity: ...

    def score(self, images: Sequence[Image.Image]) -> list[SafetyScore]:
        """Return one score for each image, in order. An image's score depends on it alone."""
        ...
