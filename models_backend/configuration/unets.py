"""The tables of U-Nets: named sizes, and what two text encoders need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models_backend.configuration.building import build
from models_backend.errors import InputError
from models_backend.nn.architecture import UNET_SIZES, TextConfig, UNetConfig


def unet_config(
    table: Mapping[str, Any], where: str, sizes: Mapping[str, Mapping[str, object]] = UNET_SIZES
) -> UNetConfig:
    """Return a table as a configuration; its `size` names one of `sizes`, which it may change.

    Raises:
        InputError: an unknown size, key or value, named by `where`.
    """
    values = dict(table)
    size = values.pop("size", None)
    if size is None:
        return build(UNetConfig, values, f"{where}.")
    if size not in sizes:
        raise InputError(f"{where}.size {size!r}: accepted are {', '.join(sizes)}")
    return build(UNetConfig, {**sizes[size], **values}, f"{where}.")


def refuse_two_encoders(text: TextConfig, unet: UNetConfig, where: str) -> None:
    """Raise `InputError` where two encoders have no width to be projected to."""
    if len(text.encoders) > 1 and not unet.text_width:
        raise InputError(
            f"text.encoders {list(text.encoders)}: two of them need {where}.text_width, the "
            "channels they are projected to"
        )
