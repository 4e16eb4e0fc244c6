"""Text conditioning: token embeddings of one or two frozen encoders.

Emu concatenates CLIP ViT-L and T5-XXL; how, the paper does not say. Here both token sequences stand
one after the other, and one linear layer of the denoiser projects them to one width. Offline the
default is what a package registry carries: all-MiniLM-L6-v2 (22 M parameters, 384 channels).
Encoders are never trained: a checkpoint keeps their names and hashes, not copies.

Shapes: L tokens of all encoders together, W their widths together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.errors import CheckpointError
from models_backend.nn.architecture import TextConfig
from models_backend.nn.reading import Reading, best_reader, reading_of
from models_backend.nn.text_sources import TextSource

_BATCH = 64
_CACHE_LIMIT = 20_000
"""Texts kept in memory; beyond that, each call encodes what it does not find."""


@dataclass(frozen=True)
class TextEmbedding:
    """Embeddings of B texts.

    Attributes:
        tokens: (B, L, W), for cross-attention. With two encoders, the tokens of the first fill the
            first channels and those of the second the rest, zero elsewhere: one linear layer is
            then a projection of each of its own.
        mask: (B, L), 1 where a token stands.
        pooled: (B, W), the sentence as one vector of about unit variance.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __getitem__(self, index: Any) -> TextEmbedding:
        return TextEmbedding(self.tokens[index], self.mask[index], self.pooled[index])

    def to(self, device: torch.device | str) -> TextEmbedding:
        return TextEmbedding(self.tokens.to(device), self.mask.to(device), self.pooled.to(device))


class TokenEncoder:
    """One frozen encoder; loaded on first use."""

    def __init__(self, source: TextSource, tokens: int) -> None:
        self.source = source
        self.tokens = tokens
        self.device = "cpu"

    @cached_property
    def width(self) -> int:
        """Channels of a token."""
        return self.source.width

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        tokenizer, model = self.source.load(self.tokens)
        return tokenizer, model.eval().requires_grad_(False).to(self.device)

    @property
    def loaded(self) -> Any:
        """The network, or None before its first use."""
        return self.__dict__["_parts"][1] if "_parts" in self.__dict__ else None

    def unload(self) -> None:
        """Let go of the network; the next use loads it again."""
        self.__dict__.pop("_parts", None)

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        """Return how much of each text it reads."""
        return reading_of(self._parts[0], texts, self.tokens)

    def encode(self, texts: list[str]) -> TextEmbedding:
        """Return embeddings of at most a batch of texts, on the CPU."""
        tokenizer, model = self._parts
        inputs = tokenizer(
            texts,
            padding="max_length",
            truncation=True,
            max_length=self.tokens,
            return_tensors="pt",
        ).to(self.device)
        output = model(input_ids=inputs["input_ids"], attention_mask=self._attention(inputs))
        mask = inputs["attention_mask"]
        hidden = output.last_hidden_state.float()
        if self.source.kind == "clip_text_model":
            # CLIP's own sentence vector: its last token, normalised. Padding is a token it knows.
            pooled = F.normalize(output.pooler_output.float(), dim=-1) * self.width**0.5
            return TextEmbedding(hidden.cpu(), mask.cpu(), pooled.cpu())
        hidden = hidden * mask[..., None]
        # A sentence encoder's own vector, and a fair one for T5: the mean over tokens, normalised.
        pooled = F.normalize(hidden.sum(dim=1), dim=-1) * self.width**0.5
        return TextEmbedding(hidden.cpu(), mask.cpu(), pooled.cpu())

    def _attention(self, inputs: Any) -> Tensor | None:
        # CLIP was trained with its padding in sight.
        return None if self.source.kind == "clip_text_model" else inputs["attention_mask"]


class TextEncoder:
    """The encoders of a model; loaded on first use."""

    def __init__(self, config: TextConfig | None = None) -> None:
        self.config = config or TextConfig()
        pairs = zip(self.config.encoders, self.config.tokens, strict=True)
        self.parts = [TokenEncoder(TextSource.find(name), length) for name, length in pairs]
        self._cache: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    @cached_property
    def width(self) -> int:
        """W: channels of all encoders together."""
        return sum(part.width for part in self.parts)

    @property
    def reference(self) -> dict[str, str]:
        """Names and weights in a few words: equal references give equal embeddings."""
        parts = {part.source.name: f"{part.tokens} {part.source.sha256}" for part in self.parts}
        return parts | {"masked": str(self.config.masked)}

    def to(self, device: str) -> Self:
        """Run the encoders there; embeddings come back to the CPU."""
        for part in self.parts:
            part.device = device
            part.unload()
        return self

    @property
    def loaded(self) -> list[Any]:
        """The networks that are in memory."""
        return [part.loaded for part in self.parts if part.loaded is not None]

    def unload(self) -> None:
        """Let go of networks and of embeddings kept; the next use loads them again."""
        self._cache.clear()
        for part in self.parts:
            part.unload()

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> TextEmbedding:
        """Return the embeddings of `texts`; each distinct text is encoded once."""
        found = {text: self._cache[text] for text in texts if text in self._cache}
        new = list(dict.fromkeys(text for text in texts if text not in found))
        for start in range(0, len(new), _BATCH):
            part = new[start : start + _BATCH]
            together = self._together([encoder.encode(part) for encoder in self.parts])
            rows = zip(together.tokens, together.mask, together.pooled, strict=True)
            found |= dict(zip(part, rows, strict=True))
        for text in new[: max(0, _CACHE_LIMIT - len(self._cache))]:
            self._cache[text] = found[text]
        parts = zip(*(found[text] for text in texts), strict=True)
        return TextEmbedding(*(torch.stack(part) for part in parts))

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        """Return how much of each text is read by the encoder that reads most of it."""
        return best_reader([part.readings(texts) for part in self.parts])

    def _together(self, each: list[TextEmbedding]) -> TextEmbedding:
        """One sequence of all encoders' tokens, every encoder in channels of its own."""
        rows, before = [], 0
        for embedding, part in zip(each, self.parts, strict=True):
            after = self.width - before - part.width
            rows.append(F.pad(embedding.tokens, (before, after)))
            before += part.width
        mask = torch.cat([embedding.mask for embedding in each], dim=1)
        return TextEmbedding(
            tokens=torch.cat(rows, dim=1),
            mask=mask if self.config.masked else torch.ones_like(mask),
            pooled=torch.cat([embedding.pooled for embedding in each], dim=1),
        )

    # -- files ------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return what a checkpoint records of its text encoders."""
        return {
            "masked": self.config.masked,
            "encoders": [{"tokens": part.tokens, **part.source.reference} for part in self.parts],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Find again the encoders of :meth:`to_dict`.

        Raises:
            CheckpointError: an encoder is missing, or its weights are others.
        """
        recorded = values["encoders"]
        config = TextConfig(
            encoders=tuple(entry["name"] for entry in recorded),
            tokens=tuple(entry["tokens"] for entry in recorded),
            masked=values["masked"],
        )
        encoder = cls(config)
        for entry, part in zip(recorded, encoder.parts, strict=True):
            if entry["sha256"] != part.source.sha256:
                raise CheckpointError(
                    f"this checkpoint was trained with the text encoder {entry['name']} "
                    f"{entry['version']}; the one found here has other weights"
                )
        return encoder
