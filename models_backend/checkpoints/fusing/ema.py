"""Averaged weights (EMA) inside a single file, as the authors of Stable Diffusion store them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from models_backend.errors import CheckpointError

_EMA = "model_ema."
_MODEL = "model."
_DENOISER = "model.diffusion_model."


def with_ema(file: Path) -> dict[str, Tensor]:
    """Return a file's tensors with the averaged denoiser in place of the plain one.

    Raises:
        CheckpointError: it holds no averaged weights, or not of every tensor.
    """
    tensors = load_file(file)
    plain = [name for name in tensors if name.startswith(_DENOISER)]
    lacking = [name for name in plain if ema_name(name) not in tensors]
    if not plain or lacking:
        raise CheckpointError(
            f"{file.name} holds no EMA weights ({_EMA}…) of {lacking[0] if lacking else _DENOISER}"
            "; take the plain ones",
            by_command="`--weights plain` takes them.",
        )
    return {**without_ema(tensors), **{name: tensors[ema_name(name)] for name in plain}}


def without_ema(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors but the averaged ones."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_EMA)}


def ema_name(name: str) -> str:
    """Return the name of a tensor's average: without dots, as a buffer's must be."""
    return _EMA + name.removeprefix(_MODEL).replace(".", "")
