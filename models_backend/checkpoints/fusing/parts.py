"""Replacing a component of a pipeline by one that somebody trained for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models_backend.checkpoint_format import content_sha256, file_sha256
from models_backend.checkpoints.fusing.ema import with_ema, without_ema
from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.stored import (
    config_of,
    dtypes_of,
    round_to,
    weight_files,
    write_weights,
)

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
_LOAD_ERRORS = (
    OSError, ValueError, ImportError, TypeError, AttributeError, KeyError, RuntimeError,
    SafetensorError,
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A component's weights: its folder as `save_pretrained` writes it, or one safetensors file."""

    component: str
    source: Path
    weights: str | None = None
    """`ema` takes the averaged weights of a file that has both; else the plain ones."""


def replace_part(folder: Path, index: dict[str, Any], part: Part) -> dict[str, Any]:
    """Put a part into the pipeline at `folder`; return what it is, for the record.

    Raises:
        CheckpointError: the pipeline has no such component, or the part does not fit it.
    """
    kind = _class_of(index, part.component)
    into = folder / part.component
    try:
        expected = _shapes(_empty(kind, into))
        new = _from_folder(kind, part) if part.source.is_dir() else _from_file(kind, part, into)
    except _LOAD_ERRORS as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        raise CheckpointError(f"{part.source} is no {kind.__name__}: {reason}") from error
    _check_fits(_shapes(new), expected, part)
    files = weight_files(part.source) if part.source.is_dir() else [part.source]
    tensors = [path for path in files if path.suffix == ".safetensors"]
    round_to(new, dtypes_of(tensors))
    write_weights(new, into, variant=None)
    if part.source.is_dir():
        shutil.copyfile(part.source / "config.json", into / "config.json")
    record = {
        "component": part.component,
        "source": part.source.name,
        "sha256": content_sha256({path.name: file_sha256(path) for path in files}),
    }
    return record | ({"weights": part.weights} if part.weights else {})


def _class_of(index: dict[str, Any], component: str) -> Any:
    source = index.get(component)
    library, name = source if isinstance(source, list) else (None, None)
    kind = getattr(_LIBRARIES.get(str(library)), str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        has = sorted(
            each for each, named in index.items()
            if isinstance(named, list) and isinstance(
                getattr(_LIBRARIES.get(str(named[0])), str(named[1]), None), type)
            and issubclass(getattr(_LIBRARIES[named[0]], named[1]), nn.Module)
        )  # fmt: skip
        raise CheckpointError(
            f"the base, a {index.get('_class_name')}, has no {component}; it has {', '.join(has)}"
        )
    return kind


def _empty(kind: Any, folder: Path) -> nn.Module:
    """Return a component of this configuration that takes no memory."""
    with torch.device("meta"):
        if hasattr(kind, "load_config"):  # diffusers
            return kind.from_config(kind.load_config(folder, local_files_only=True))
        return kind(kind.config_class.from_pretrained(folder, local_files_only=True))


def _from_folder(kind: Any, part: Part) -> nn.Module:
    config = config_of(part.source)
    named = str(config.get("_class_name") or (config.get("architectures") or [kind.__name__])[0])
    if named != kind.__name__:
        raise ValueError(f"its config.json names {named}")
    new, told = kind.from_pretrained(
        part.source, local_files_only=True, use_safetensors=True, dtype=torch.float32,
        output_loading_info=True,
    )  # fmt: skip
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(map(str, told.get(what) or []))
        if names:
            raise ValueError(f"{len(names)} {what.replace('_', ' ')}, such as {names[0]}")
    return new


def _from_file(kind: Any, part: Part, into: Path) -> nn.Module:
    """Read a file whose tensors are named as diffusers names them, or as the model's authors do."""
    tensors = with_ema(part.source) if part.weights == "ema" else load_file(part.source)
    tensors = without_ema(tensors)
    empty = _empty(kind, into)
    if _shapes(empty).keys() == tensors.keys():
        return _filled(empty, tensors)
    if not hasattr(kind, "from_single_file"):
        raise ValueError(
            "its tensors are named otherwise; give the folder that save_pretrained wrote"
        )
    new: nn.Module = kind.from_single_file(
        tensors, config=str(into.parent), subfolder=into.name, local_files_only=True,
        torch_dtype=torch.float32,
    )  # fmt: skip
    lacking = [name for name, tensor in new.named_parameters() if tensor.is_meta]
    if lacking:
        raise ValueError(f"it lacks {len(lacking)} tensors, such as {lacking[0]}")
    return new


def _filled(empty: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    single = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    empty.load_state_dict(single, assign=True)
    return empty


def _shapes(component: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in component.state_dict().items()}


def _check_fits(
    new: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]], part: Part
) -> None:
    wrong = sorted(
        name for name in new.keys() | expected.keys() if new.get(name) != expected.get(name)
    )
    if wrong:
        first = wrong[0]
        raise CheckpointError(
            f"{part.source.name} does not fit the base's {part.component}: {len(wrong)} tensors "
            f"differ; the first, {first}, is {new.get(first, 'missing')} there and "
            f"{expected.get(first, 'unknown')} in the base. Give a part of the same architecture"
        )
