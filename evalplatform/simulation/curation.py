"""A curation as simulated annotators learn it: drawings of things, some of them picked by hand."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from evalplatform.core.errors import BadInputError
from evalplatform.quality.damage import spoil
from evalplatform.simulation.features import Seen, pixels_of

MANIFEST = "manifest.jsonl"
LEAST_CONCEPTS = 8
"""Things of which one drawing was picked and another was not: with fewer nothing can be learned."""


@dataclass(frozen=True)
class Drawing:
    """One picture of a captioned data set."""

    concept: str
    caption: str
    style: str
    sha256: str
    path: Path

    @cached_property
    def seen(self) -> Seen:
        """The picture as annotators see it."""
        try:
            with Image.open(self.path) as opened:
                return Seen(pixels_of(opened))
        except OSError as error:
            raise BadInputError(
                f"{self.path} cannot be read ({error}); build the data set again."
            ) from None


@dataclass(frozen=True)
class Curation:
    """All drawings of a data set, and which of them were picked."""

    drawings: Sequence[Drawing]
    picked: np.ndarray  # (N,) booleans

    @cached_property
    def looks(self) -> np.ndarray:
        """(N, 41)."""
        return np.stack([each.seen.look for each in self.drawings])

    @cached_property
    def spoilt_looks(self) -> dict[int, np.ndarray]:
        """By the place of each picked drawing, the look of a copy spoilt as gold pairs are."""
        rng = np.random.default_rng(0)  # how a copy is spoilt is no one annotator's affair
        looks = {}
        for number, place in enumerate(np.flatnonzero(self.picked).tolist()):
            image = Image.fromarray((255 * self.drawings[place].seen.pixels).astype(np.uint8))
            looks[place] = Seen(pixels_of(spoil(image, number, rng)[0])).look
        return looks

    @cached_property
    def layouts(self) -> np.ndarray:
        """(N, F)."""
        return np.stack([each.seen.layout for each in self.drawings])

    @cached_property
    def by_concept(self) -> dict[str, list[int]]:
        """Places of each concept's drawings."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, drawing in enumerate(self.drawings):
            places[drawing.concept].append(place)
        return dict(places)

    @cached_property
    def concepts(self) -> list[str]:
        """Those of which one drawing was picked and another was not, sorted."""
        return [name for name in sorted(self.by_concept) if len(self.pairs([name]))]

    def pairs(self, concepts: Sequence[str]) -> np.ndarray:
        """Return (P, 2) places: a picked drawing and one of the same thing that was not."""
        found = [
            (better, worse)
            for name in concepts
            for better in self.by_concept[name]
            for worse in self.by_concept[name]
            if self.picked[better] and not self.picked[worse]
        ]
        return np.array(found, dtype=int).reshape(-1, 2)


def read_drawings(folder: Path) -> list[Drawing]:
    """Return the drawings of a captioned data set.

    Raises:
        BadInputError: no manifest, or one that is not a data set's.
    """
    manifest = folder / MANIFEST
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInputError(
            f"{manifest} cannot be read ({error.strerror}); give the folder of a captioned data "
            f"set, with a {MANIFEST} in it."
        ) from None
    try:
        return [
            Drawing(
                entry["concept"], entry["caption"], entry["style"], entry["sha256"],
                folder / entry["file"],
            )
            for entry in map(json.loads, lines)
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{manifest}: a line does not fit ({error!r}); each needs concept, caption, style, "
            "sha256 and file."
        ) from None


def read_curation(folder: Path, picked: Path) -> Curation:
    """Return a data set with what a list picks of it: `style<TAB>concept` a line, # a comment.

    Raises:
        BadInputError: an unreadable data set or list, or too few picks to learn from.
    """
    drawings = read_drawings(folder)
    try:
        lines = picked.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{picked} cannot be read as text ({error}).") from None
    wanted = {tuple(line.split("\t")[:2]) for line in lines if line and not line.startswith("#")}
    curation = Curation(
        drawings, np.array([(each.style, each.concept) in wanted for each in drawings], dtype=bool)
    )
    if len(curation.concepts) < LEAST_CONCEPTS:
        raise BadInputError(
            f"{picked} picks drawings of {len(curation.concepts)} things of which {folder} holds "
            f"another one too; a taste is learned from {LEAST_CONCEPTS} and more."
        )
    return curation
