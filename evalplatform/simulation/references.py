"""Reference pictures from a captioned data set's manifest."""

import json
import re
from pathlib import Path

import numpy as np

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.behaviour import decode

_GRID = 16  # pictures are compared as 16 x 16 colour thumbnails
_STOP_WORDS = frozenset({"a", "an", "the", "of", "with", "on", "in", "at", "and", "or", "to", "is"})


class ManifestReferences:
    """Pictures of `manifest.jsonl`, found by the words that captions share with a prompt."""

    def __init__(self, manifest: Path) -> None:
        if not manifest.is_file():
            raise BadInputError(
                f"{manifest}: no such manifest; give the manifest.jsonl of a captioned data set."
            )
        lines = manifest.read_text(encoding="utf-8").splitlines()
        self._root = manifest.parent
        entries = [json.loads(line) for line in lines]
        self._entries = [
            (_words(entry["caption"]), self._root / entry["file"]) for entry in entries
        ]
        self._thumbnails: dict[Path, np.ndarray] = {}
        self._matches: dict[str, list[Path]] = {}

    def likeness(self, pixels: np.ndarray, prompt: str) -> float:
        """Return 1 minus the smallest thumbnail distance to a matching picture; 0 for none."""
        paths = self._matching(prompt)
        if not paths:
            return 0.0
        thumbnail = _thumbnail(pixels)
        distances = [np.sqrt(((thumbnail - self._load(path)) ** 2).mean()) for path in paths]
        return float(1 - min(distances))

    def _matching(self, prompt: str) -> list[Path]:
        """Return the pictures whose captions share the largest part of their words."""
        if prompt not in self._matches:
            wanted = _words(prompt)
            scores = [
                len(words & wanted) / len(words | wanted) if words else 0.0
                for words, _ in self._entries
            ]
            best = max(scores, default=0.0)
            self._matches[prompt] = [
                path
                for score, (_, path) in zip(scores, self._entries, strict=True)
                if best > 0 and score == best
            ]
        return self._matches[prompt]

    def _load(self, path: Path) -> np.ndarray:
        if path not in self._thumbnails:
            self._thumbnails[path] = _thumbnail(decode(path.read_bytes()))
        return self._thumbnails[path]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower())) - _STOP_WORDS


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Return (16, 16, 3) block means of (H, W, 3) pixels."""
    rows = np.array_split(np.arange(pixels.shape[0]), _GRID)
    columns = np.array_split(np.arange(pixels.shape[1]), _GRID)
    bands = np.stack([pixels[row].mean(axis=0) for row in rows])
    return np.stack([bands[:, column].mean(axis=1) for column in columns], axis=1)
