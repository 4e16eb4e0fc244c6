"""How much of a prompt each class of diffusers pipeline reads, as its own call cuts it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from models_backend.nn.reading import Reading, best_reader, reading_of

Limit = Callable[[Any, Any], int]
"""(pipeline, tokenizer) to how many tokens the encoder is given, marks among them."""


def readings(pipeline: Any, prompts: Sequence[str]) -> list[Reading | None]:
    """Return each prompt's reading by the encoder that reads most of it.

    None for a class not known here: it may cut at any length, or prepare the prompt in its own way.
    """
    known = _ENCODERS.get(type(pipeline).__name__)
    if known is None:
        return [None] * len(prompts)
    texts = _prepared(pipeline, prompts)
    by_encoder = [
        reading_of(tokenizer, texts, limit(pipeline, tokenizer))
        for suffix, limit in known.items()
        # A component may be left out, such as the third encoder of Stable Diffusion 3.
        if getattr(pipeline, f"text_encoder{suffix}", None) is not None
        and (tokenizer := getattr(pipeline, f"tokenizer{suffix}", None)) is not None
    ]
    return list(best_reader(by_encoder)) if by_encoder else [None] * len(prompts)


def _prepared(pipeline: Any, prompts: Sequence[str]) -> list[str]:
    """Return the prompts as PixArt's pipelines hand them to the tokenizer."""
    if not hasattr(pipeline, "_text_preprocessing"):
        return list(prompts)
    return list(pipeline._text_preprocessing(list(prompts), clean_caption=False))


def _of_tokenizer(pipeline: Any, tokenizer: Any) -> int:
    return int(tokenizer.model_max_length)


def _of_first_tokenizer(pipeline: Any, tokenizer: Any) -> int:
    return int(pipeline.tokenizer_max_length)


def _of_call(pipeline: Any, tokenizer: Any) -> int:
    default = inspect.signature(pipeline.__call__).parameters["max_sequence_length"].default
    return int(default)


_ENCODERS: dict[str, dict[str, Limit]] = {
    "StableDiffusionPipeline": {"": _of_tokenizer},
    "LatentConsistencyModelPipeline": {"": _of_tokenizer},
    "StableDiffusionXLPipeline": {"": _of_tokenizer, "_2": _of_tokenizer},
    "StableDiffusion3Pipeline": {
        "": _of_first_tokenizer, "_2": _of_first_tokenizer, "_3": _of_call,
    },
    "FluxPipeline": {"": _of_first_tokenizer, "_2": _of_call},
    "PixArtAlphaPipeline": {"": _of_call},
    "PixArtSigmaPipeline": {"": _of_call},
}  # fmt: skip
"""By class, each encoder's suffix and where its pipeline cuts."""
