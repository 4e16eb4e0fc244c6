"""Weights in a family's directory: half precision on disk, single in memory; plain settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models_backend.errors import CheckpointError, InputError

T = TypeVar("T")
WEIGHTS = "diffusion_pytorch_model.safetensors"
"""Where diffusers looks for a network's weights."""
OWN_WEIGHTS = "model.safetensors"


def save_half(state: dict[str, Tensor], path: Path) -> None:
    """Write tensors in half precision; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.half().contiguous().cpu() for name, tensor in state.items()}
    save_file(halves, path, metadata={"format": "pt"})


def load_float(path: Path) -> dict[str, Tensor]:
    """Read tensors, in single precision."""
    return {name: tensor.float() for name, tensor in load_file(path).items()}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings with tuples as the lists that JSON has."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Return settings with lists as the tuples that a configuration holds."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def read_whole(folder: Path, family: str, read: Callable[[Path], T]) -> T:
    """Return what `read` makes of a folder.

    Raises:
        CheckpointError: configuration and weights do not fit each other, or a text encoder is
            missing.
    """
    try:
        return read(folder)
    except (
        KeyError, TypeError, ValueError, OSError, RuntimeError, InputError, SafetensorError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{folder} is not a whole {family} model ({type(error).__name__}: {reason})"
        ) from error


def check_whole(folder: Path, family: str, check: Callable[[Path], None]) -> None:
    """Hold a folder's weights against its configuration, whatever strange things that says.

    Raises:
        CheckpointError: it would not load; the text names the part.
    """
    try:
        check(folder)
    except CheckpointError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"not a whole {family} model ({type(error).__name__}: {reason})"
        ) from error
