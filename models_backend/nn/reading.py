"""How much of a prompt a model reads: text encoders cut what is longer than they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """A prompt in tokens of one encoder, its own start and end marks among them."""

    tokens: int
    """What the prompt has, 0 or more."""
    read: int
    """What the encoder takes of them."""

    @property
    def share(self) -> float:
        return self.read / self.tokens if self.tokens else 1.0


def reading_of(tokenizer: Any, prompts: Sequence[str], limit: int) -> list[Reading]:
    """Return what an encoder behind `tokenizer` reads that takes `limit` tokens."""
    if not prompts:
        return []
    rows = tokenizer(list(prompts), truncation=False, padding=False, verbose=False).input_ids
    return [Reading(len(row), min(len(row), limit)) for row in rows]


def best_reader(by_encoder: Sequence[Sequence[Reading]]) -> list[Reading]:
    """Return each prompt's reading by the encoder that reads the largest share of it.

    A prompt that one encoder of several reads in full counts as read in full: its words reach the
    model. (Stable Diffusion 3 and Flux give CLIP 77 tokens, and T5 the whole prompt.)
    """
    return [max(each, key=lambda reading: reading.share) for each in zip(*by_encoder, strict=True)]
