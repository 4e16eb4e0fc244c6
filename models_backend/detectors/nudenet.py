"""NudeNet's exposed-body detector, run on its weights with ONNX Runtime on the CPU.

The package `nudenet` carries the weights (YOLOv8 n, 320 pixels, 18 labels) and its own reading of
them, which is not used, for two reasons. It drops every box below 0.25 and lets a covered part
suppress an exposed one in the same place, so that a threshold would mean different things for
different images; here a label's score is its largest over all boxes. And it needs OpenCV.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from models_backend.detectors.base import DetectorIdentity, SafetyScore
from models_backend.errors import InputError

# In the order of the network's outputs.
LABELS = (
    "FEMALE_GENITALIA_COVERED", "FACE_FEMALE", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED", "MALE_BREAST_EXPOSED", "ANUS_EXPOSED", "FEET_EXPOSED",
    "BELLY_COVERED", "FEET_COVERED", "ARMPITS_COVERED", "ARMPITS_EXPOSED", "FACE_MALE",
    "BELLY_EXPOSED", "MALE_GENITALIA_EXPOSED", "ANUS_COVERED", "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)  # fmt: skip
# What makes an image unsafe. Bare feet, bellies, armpits and male breasts do not.
UNSAFE = (
    "ANUS_EXPOSED", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED", "FEMALE_GENITALIA_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
)  # fmt: skip
_BY_COMMAND = "`python -m pip install --no-deps -r requirements-safety.txt` does it."

_READING = 1  # goes up when images are read or scores taken in another way
_SIDE = 320  # pixels, as the network was trained
_WORTH_KEEPING = 0.01  # labels below it are not reported
_BOX = 4  # the first outputs are the box


class NudeNet:
    """The detector `nudenet`. Raises `InputError` where what it needs is not installed."""

    def __init__(self) -> None:
        weights = _weights()
        self._session = _session(weights)
        self._input = self._session.get_inputs()[0].name
        self.identity = DetectorIdentity(
            name="nudenet",
            version=f"{version('nudenet')}/{_READING}",
            weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
            unsafe_labels=UNSAFE,
        )

    def score(self, images: Sequence[Image.Image]) -> list[SafetyScore]:
        """Return each image's scores. One by one: on a CPU a batch is no faster."""
        return [self._score(image) for image in images]

    def _score(self, image: Image.Image) -> SafetyScore:
        (output,) = self._session.run(None, {self._input: network_input(image)})
        by_label = output[0, _BOX:].max(axis=1).clip(0.0, 1.0)  # (18, boxes) -> (18,)
        scores = dict(zip(LABELS, by_label.astype(float).tolist(), strict=True))
        return SafetyScore(
            score=max(scores[label] for label in UNSAFE),
            labels={
                label: round(score, 4) for label, score in scores.items() if score >= _WORTH_KEEPING
            },
        )


def network_input(image: Image.Image) -> npt.NDArray[np.float32]:
    """Return an image of any size as (1, 3, 320, 320), RGB in [0, 1].

    It keeps its shape in the upper left corner; the rest is black, as the network was trained.
    """
    fitted = ImageOps.contain(image.convert("RGB"), (_SIDE, _SIDE), Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", (_SIDE, _SIDE))
    canvas.paste(fitted)
    pixels = np.asarray(canvas, dtype=np.float32) / 255.0
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])


def _weights() -> Path:
    found = find_spec("nudenet")  # found, not imported: importing it imports OpenCV
    if found is None or found.origin is None:
        raise _missing("nudenet")
    path = Path(found.origin).parent / "320n.onnx"
    try:
        version("nudenet")
    except PackageNotFoundError as error:
        raise _missing("nudenet") from error
    if not path.is_file():
        raise InputError(
            f"nudenet is installed without {path.name}; install it again on every worker",
            by_command=_BY_COMMAND,
        )
    return path


def _session(weights: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime") from error
    return onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])


def _missing(package: str) -> InputError:
    return InputError(
        f"the safety detector 'nudenet' needs the package {package}, which is not installed here; "
        "install requirements-safety.txt on every worker",
        by_command=_BY_COMMAND,
    )
