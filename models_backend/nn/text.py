"""Text conditioning: token embeddings of one or two frozen encoders.

Emu concatenates CLIP ViT-L and T5-XXL; how, the paper does not say. Here both token sequences stand
one after the other, and one linear layer of the denoiser projects them to one width. Offline the
default is what a package registry carries: all-MiniLM-L6-v2 (22 M parameters, 384 channels).
Encoders are never trained: a checkpoint keeps their names and hashes, not copies.

Shapes: L tokens of all encoders together, W their widths together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.errors import CheckpointError
from models_backend.nn.architecture import TextConfig
from models_backend.nn.precision import has_bfloat16
from models_backend.nn.reading import Reading, best_reader, reading_of
from models_backend.nn.text_rows import TextEmbedding, TextRows
from models_backend.nn.text_sources import TextSource


class TokenEncoder:
    """One frozen encoder; loaded on first use."""

    def __init__(self, source: TextSource, tokens: int) -> None:
        self.source = source
        self.tokens = tokens
        self.device = torch.device("cpu")

    @cached_property
    def width(self) -> int:
        """Channels of a token."""
        return self.source.width

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        tokenizer, model = self.source.load(self.tokens)
        model = model.eval().requires_grad_(False).to(self.device)
        return tokenizer, model if self._dtype is None else model.to(self._dtype)

    @property
    def _dtype(self) -> torch.dtype | None:
        """On a GPU half precision; T5 overflows in float16. None is as saved."""
        if self.device.type != "cuda":
            return None
        if self.source.kind != "t5":
            return torch.float16
        return torch.bfloat16 if has_bfloat16(self.device) else torch.float32

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
        """Return embeddings of at most a batch of texts, on the CPU; half-precision from a GPU."""
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
            return self._kept(hidden, mask, pooled)
        hidden = hidden * mask[..., None]
        # A sentence encoder's own vector, and a fair one for T5: the mean over tokens, normalised.
        pooled = F.normalize(hidden.sum(dim=1), dim=-1) * self.width**0.5
        return self._kept(hidden, mask, pooled)

    def _kept(self, hidden: Tensor, mask: Tensor, pooled: Tensor) -> TextEmbedding:
        kept = torch.float32 if self.device.type == "cpu" else torch.float16
        return TextEmbedding(hidden, mask, pooled).to("cpu", kept)

    def _attention(self, inputs: Any) -> Tensor | None:
        # CLIP was trained with its padding in sight.
        return None if self.source.kind == "clip_text_model" else inputs["attention_mask"]


class TextEncoder(TextRows):
    """The encoders of a model; loaded on first use."""

    def __init__(self, config: TextConfig | None = None) -> None:
        super().__init__()
        self.config = config or TextConfig()
        pairs = zip(self.config.encoders, self.config.tokens, strict=True)
        self.parts = [TokenEncoder(TextSource.find(name), length) for name, length in pairs]

    @cached_property
    def width(self) -> int:
        """W: channels of all encoders together."""
        return sum(part.width for part in self.parts)

    @property
    def row_length(self) -> int:
        """R: numbers of a text as it is kept."""
        return sum(part.tokens * (part.width + 1) + part.width for part in self.parts)

    @property
    def row_dtype(self) -> torch.dtype:
        """Of what is kept in memory: half precision where a GPU computes it."""
        return torch.float32 if self.parts[0].device.type == "cpu" else torch.float16

    @property
    def reference(self) -> dict[str, str]:
        """Names and weights in a few words: equal references give equal embeddings."""
        parts = {part.source.name: f"{part.tokens} {part.source.sha256}" for part in self.parts}
        return parts | {"masked": str(self.config.masked)}

    def to(self, device: torch.device | str) -> Self:
        """Run the encoders there, on a GPU in half precision; embeddings come back to the CPU."""
        device = torch.device(device)
        if any(part.device != device for part in self.parts):
            self.unload()
        for part in self.parts:
            part.device = device
        return self

    @property
    def loaded(self) -> list[Any]:
        """The networks that are in memory."""
        return [part.loaded for part in self.parts if part.loaded is not None]

    def rest(self) -> None:
        for part in self.parts:
            part.unload()

    def _encoded(self, texts: list[str]) -> Tensor:
        """For each encoder tokens, sentence vector and mask, without what zeros fill up."""
        each = [encoder.encode(texts) for encoder in self.parts]
        pieces = [p.flatten(1) for e in each for p in (e.tokens, e.pooled, e.mask)]
        return torch.cat([p.to(pieces[0]) for p in pieces], dim=1)

    def unpacked(self, rows: Tensor) -> TextEmbedding:
        sizes = [size for p in self.parts for size in (p.tokens * p.width, p.width, p.tokens)]
        pieces = rows.split(sizes, dim=1)
        tokens = [
            piece.view(len(rows), part.tokens, part.width)
            for piece, part in zip(pieces[::3], self.parts, strict=True)
        ]
        return self._together(tokens, pieces[1::3], pieces[2::3])

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        """Return how much of each text is read by the encoder that reads most of it."""
        return best_reader([part.readings(texts) for part in self.parts])

    def _together(
        self, tokens: Sequence[Tensor], pooled: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> TextEmbedding:
        """One sequence of all encoders' tokens, every encoder in channels of its own."""
        rows, before = [], 0
        for each, part in zip(tokens, self.parts, strict=True):
            after = self.width - before - part.width
            rows.append(F.pad(each, (before, after)))
            before += part.width
        mask = torch.cat(list(masks), dim=1).long()
        return TextEmbedding(
            tokens=torch.cat(rows, dim=1),
            mask=mask if self.config.masked else torch.ones_like(mask),
            pooled=torch.cat(list(pooled), dim=1),
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
