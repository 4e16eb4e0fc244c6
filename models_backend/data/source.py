"""What a training run asks of captioned images, wherever they lie. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from models_backend.errors import InputError


@dataclass(frozen=True)
class CaptionedImage:
    """One captioned image, still encoded."""

    image: bytes
    caption: str
    name: str
    """Where it is, for errors."""
    keywords: list[str] = field(default_factory=list)
    style: str = ""
    licence: str = "unknown"

    @classmethod
    def of(cls, image: bytes, fields: dict[str, Any], name: str, *, key: str = "caption") -> Self:
        """Check what a file says of a sample; its caption is called `key`."""
        caption = fields.get(key)
        if not isinstance(caption, str) or not caption.strip():
            raise InputError(f"{name}: the caption is missing or empty; every image needs one")
        keywords = fields.get("keywords") or []
        return cls(
            image, caption.strip(), name, [str(word) for word in keywords],
            str(fields.get("style") or ""), str(fields.get("licence") or "unknown"),
        )  # fmt: skip


class ImageSource(Protocol):
    """A set of samples in shards."""

    sha256: str
    licences: list[str]

    def sizes(self) -> list[npt.NDArray[np.int32]]:
        """Return (height, width) of every picture, an array (samples, 2) a shard."""

    def read(self, shard: int, row: int) -> CaptionedImage:
        """Return one sample."""
