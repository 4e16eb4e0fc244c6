"""Safety detectors: how surely an image shows what nobody should meet unasked.

One interface, any number of detectors. A detector is found by name, here (`register_detector`) or
among the entry points of the group `models_backend.safety_detectors`, and is imported only when
its name is asked for. It gives scores and decides nothing: a threshold belongs to its users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from PIL import Image

from models_backend.errors import InputError

ENTRY_POINTS = "models_backend.safety_detectors"


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


class SafetyDetector(Protocol):
    """What every detector does."""

    @property
    def identity(self) -> DetectorIdentity: ...

    def score(self, images: Sequence[Image.Image]) -> list[SafetyScore]:
        """Return one score for each image, in order. An image's score hangs on it alone."""
        ...


Loader = Callable[[], SafetyDetector]


def _nudenet() -> SafetyDetector:
    from models_backend.safety_nudenet import NudeNet

    return NudeNet()


_LOADERS: dict[str, Loader] = {"nudenet": _nudenet}


def register_detector(name: str, load: Loader) -> None:
    """Make a detector known under `name`; a later one of the same name takes its place."""
    _LOADERS[name] = load


def load_detector(name: str) -> SafetyDetector:
    """Load a detector. Raises `InputError` for an unknown name and where a package is missing."""
    plugged = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name in _LOADERS:
        detector = _LOADERS[name]()
    elif name in plugged:
        detector = plugged[name].load()()
    else:
        known = ", ".join(sorted(_LOADERS.keys() | plugged.keys()))
        raise InputError(f"no safety detector {name!r}; known: {known}.")
    if detector.identity.name != name:
        raise InputError(
            f"the safety detector {name!r} calls itself {detector.identity.name!r}; its identity "
            "must bear the name it is registered under."
        )
    return detector
