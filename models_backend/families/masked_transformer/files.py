"""The directory of a masked transformer.

config.json                        the whole configuration
tokenizer/model.safetensors        images to tokens and back
transformer/model.safetensors      what fills them in
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate import init_empty_weights

from models_backend.errors import CheckpointError
from models_backend.families.masked_transformer.config import FillingConfig
from models_backend.families.masked_transformer.parts import NAME, MaskedParts, fresh_networks
from models_backend.families.text_width import text_width
from models_backend.families.weights import (
    OWN_WEIGHTS,
    check_whole,
    load_float,
    read_whole,
    save_half,
    tuples,
)
from models_backend.files import read_json, write_json_atomically
from models_backend.nn.architecture import TokenizerConfig, TransformerConfig
from models_backend.nn.shapes import refuse_misfit, tensors_in
from models_backend.nn.text import TextEncoder


def save(parts: MaskedParts, folder: Path) -> None:
    """Write the directory's files."""
    write_json_atomically(folder / "config.json", parts.describe())
    save_half(parts.tokenizer.state_dict(), folder / "tokenizer" / OWN_WEIGHTS)
    save_half(parts.transformer.state_dict(), folder / "transformer" / OWN_WEIGHTS)


def load(folder: Path) -> MaskedParts:
    """Read a directory.

    Raises:
        CheckpointError: configuration and weights do not fit each other, or a text encoder is
            missing.
    """
    return read_whole(folder, NAME, _load)


def _load(folder: Path) -> MaskedParts:
    config = read_json(folder / "config.json")
    parts = MaskedParts.fresh(
        *_networks(config),
        _image_size(config),
        TextEncoder.from_dict(config["text"]),
        FillingConfig(**config["filling"]),
    )
    parts.tokenizer.load_state_dict(load_float(folder / "tokenizer" / OWN_WEIGHTS))
    parts.transformer.load_state_dict(load_float(folder / "transformer" / OWN_WEIGHTS))
    parts.tokenizer.eval()
    parts.transformer.eval()
    return parts


def check(folder: Path) -> None:
    """Hold weights against configuration. Text encoders are no part of it, and not looked for.

    Raises:
        CheckpointError: it would not load; the text names the part.
    """
    check_whole(folder, NAME, _check)


def _check(folder: Path) -> None:
    config = read_json(folder / "config.json")
    FillingConfig(**config["filling"])
    width, _ = text_width(config["text"])
    with init_empty_weights():
        tokenizer, transformer = fresh_networks(*_networks(config), _image_size(config), width)
    for name, network in (("tokenizer", tokenizer), ("transformer", transformer)):
        found = tensors_in([folder / name / OWN_WEIGHTS])
        refuse_misfit(name, network.state_dict(), found)


def _networks(config: dict[str, Any]) -> tuple[TokenizerConfig, TransformerConfig]:
    tokenizer = TokenizerConfig(**tuples(config["tokenizer"]))
    return tokenizer, TransformerConfig(**tuples(config["transformer"]))


def _image_size(config: dict[str, Any]) -> tuple[int, int]:
    sides = config["image_size"]
    if len(sides) != 2 or not all(isinstance(side, int) for side in sides):
        raise CheckpointError(f"config.json: image_size is {sides}, not two numbers")
    return sides[0], sides[1]
