"""Embeddings of texts kept as one row of numbers each: every text is encoded once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_BATCH = 64
_CACHE_BYTES = 2**30
"""Embeddings kept in memory; beyond that, each call encodes what it does not find."""


@dataclass(frozen=True)
class TextEmbedding:
    """Embeddings of B texts.

    Attributes:
        tokens: (B, L, W), for cross-attention. With two encoders of ours, the tokens of the first
            fill the first channels and those of the second the rest, zero elsewhere: one linear
            layer is then a projection of each of its own.
        mask: (B, L), 1 where a token stands.
        pooled: (B, P), the sentence as one vector; of our encoders P is W, of about unit variance.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __getitem__(self, index: Any) -> TextEmbedding:
        return TextEmbedding(self.tokens[index], self.mask[index], self.pooled[index])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TextEmbedding:
        """Return it on a device, and the embeddings (not the mask) in a precision."""
        return TextEmbedding(
            self.tokens.to(device, dtype), self.mask.to(device), self.pooled.to(device, dtype)
        )


class TextRows(ABC):
    """Encoders of a model with what they have encoded; their networks may be let go meanwhile."""

    def __init__(self) -> None:
        self._cache: dict[str, Tensor] = {}

    @property
    @abstractmethod
    def row_length(self) -> int:
        """R: numbers of a text as it is kept."""

    @abstractmethod
    def _encoded(self, texts: list[str]) -> Tensor:
        """Return rows (B, R), on the CPU, of a batch of texts that are not kept yet."""

    @abstractmethod
    def unpacked(self, rows: Tensor) -> TextEmbedding:
        """Return what :meth:`rows` gave, wherever it lies now, as embeddings."""

    @abstractmethod
    def rest(self) -> None:
        """Let go of the networks and keep the embeddings; a new text loads them again."""

    def unload(self) -> None:
        """Let go of networks and of embeddings kept; the next use loads them again."""
        self._cache.clear()
        self.rest()

    def encode(self, texts: Sequence[str]) -> TextEmbedding:
        """Return the embeddings of `texts`; each distinct text is encoded once."""
        return self.unpacked(self.rows(texts))

    @torch.no_grad()
    def rows(self, texts: Sequence[str]) -> Tensor:
        """Return the embeddings as they are kept, (B, R)."""
        found = {text: self._cache[text] for text in texts if text in self._cache}
        new = list(dict.fromkeys(text for text in texts if text not in found))
        for start in range(0, len(new), _BATCH):
            part = new[start : start + _BATCH]
            found |= dict(zip(part, self._encoded(part), strict=True))
        if new:
            row = found[new[0]]
            room = _CACHE_BYTES // (row.numel() * row.element_size()) - len(self._cache)
            self._cache |= {text: found[text].clone() for text in new[: max(0, room)]}
        return torch.stack([found[text] for text in texts])
