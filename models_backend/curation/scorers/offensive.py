"""How surely an image shows what nobody should meet unasked, by a detector of the registry."""

from __future__ import annotations

from collections.abc import Sequence

from models_backend.curation.scorers.base import Row, ScorerIdentity, ScorerInput
from models_backend.detectors.registry import load_detector


class Offensive:
    """A safety detector (`models_backend.detectors`) as a scorer."""

    measures = {"score": "float64"}
    reads_fields = False

    def __init__(self, detector: str) -> None:
        self._detector = load_detector(detector)
        known = self._detector.identity
        self.identity = ScorerIdentity(
            "offensive", f"{known.name} {known.version}", known.weights_sha256
        )

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return the detector's score in [0, 1] for each image."""
        found = self._detector.score([sample.image for sample in samples])
        return [{"score": each.score} for each in found]
