"""Words in an image, read by RapidOCR (PP-OCR's networks, whose weights lie in its wheel)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput
from models_backend.errors import InputError
from models_backend.files import sha256_of_bytes, sha256_of_file

_BY_COMMAND = "`python -m pip install --no-deps -r requirements-curation.txt` does it."
SURE = 0.8
"""A text counts from this confidence on: drawings without any give others up to about 0.6."""
_READING = 2  # goes up when images are read or words counted in another way
_LETTERS = 2
"""Letters or digits of a word: an egg is read as Q and a tree as a character, at any confidence."""
_LEAST, _MOST = 128, 1024
"""Pixels of the longer side: smaller images are enlarged, larger ones made smaller."""


class Ocr:
    """How many words an image shows, and how much of it they cover."""

    measures = {"words": "int64", "area": "float64"}
    reads_fields = False

    def __init__(self) -> None:
        self._engine = _engine()
        self.identity = ScorerIdentity(
            "ocr", f"rapidocr {version('rapidocr')}/{_READING}", _weights_sha256()
        )

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return how many sure words of two letters or more there are, and their boxes' share."""
        return [self._score(sample) for sample in samples]

    def _score(self, sample: ScorerInput) -> Row:
        image = sample.image
        scale = min(max(1.0, _LEAST / max(image.size)), _MOST / max(image.size))
        if scale != 1.0:
            image = image.resize(
                (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            )
        found = self._engine(np.ascontiguousarray(np.asarray(image)[..., ::-1]))
        words, area = 0, 0.0
        for text, sure, box in zip(
            found.txts or (), found.scores or (), _boxes(found), strict=False
        ):
            spoken = [word for word in text.split() if sum(map(str.isalnum, word)) >= _LETTERS]
            if sure >= SURE and spoken:
                words += len(spoken)
                area += _polygon_area(np.asarray(box, dtype=np.float64))
        return {"words": words, "area": min(1.0, area / (image.width * image.height))}


def _boxes(found: Any) -> Sequence[Any]:
    return () if found.boxes is None else found.boxes


def _polygon_area(corners: Any) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def _engine() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise InputError(
            f"the scorer 'ocr' needs the package {error.name}, which is not installed here; "
            "install requirements-curation.txt on every worker",
            by_command=_BY_COMMAND,
        ) from None
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    settings = {
        "EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "critical",
        # Unless told so, detection enlarges every image to 736 pixels of its shorter side: ten
        # times the work for a small drawing, and no word more is found.
        "Det.limit_type": "max", "Det.limit_side_len": _MOST,
    }  # fmt: skip
    return RapidOCR(params=settings)


def _weights_sha256() -> str:
    spec = find_spec("rapidocr")
    assert spec is not None
    assert spec.origin is not None
    files = sorted((Path(spec.origin).parent / "models").glob("*.onnx"))
    return sha256_of_bytes("\n".join(sha256_of_file(path) for path in files).encode())
