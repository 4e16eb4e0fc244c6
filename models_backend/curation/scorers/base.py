"""What a scorer is: it looks at images and gives each of them some named measures.

A score of an image depends on that image and what is said of it alone, never on the others: that is
what lets scores be kept, and a new threshold cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image

Value = float | int | str | None
Row = dict[str, Value]
"""One image's measures; None where the scorer cannot tell."""


@dataclass(frozen=True)
class ScorerIdentity:
    """What a score rests on: two scores are comparable where all of this is the same."""

    name: str
    """Also the first part of its columns, `name/measure`."""
    version: str
    """Of code and settings."""
    weights_sha256: str = ""
    """Of what it learnt; empty where it learnt nothing."""

    def to_dict(self) -> dict[str, str]:
        """Return it as it is written."""
        return dict(vars(self))


@dataclass(frozen=True)
class ScorerInput:
    """One image with what its source says of it."""

    sha256: str
    image: Image.Image
    """RGB, upright."""
    caption: str = ""
    bytes: int = 0
    frames: int = 1
    fields: Mapping[str, Any] = field(default_factory=dict)


class Scorer(Protocol):
    """What every scorer does."""

    @property
    def identity(self) -> ScorerIdentity: ...

    @property
    def measures(self) -> Mapping[str, str]:
        """What it gives, with the column's type: `float64`, `int64`, `uint64` or `string`."""
        ...

    @property
    def reads_fields(self) -> bool:
        """Whether a score depends on what the source says: it is made anew where that changes."""
        ...

    def score(self, samples: Sequence[ScorerInput]) -> list[Row]:
        """Return the measures of each image, in order."""
        ...
