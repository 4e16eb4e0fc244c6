"""A checkpoint in one file, in the layout its authors wrote it in: SD, SDXL, SD3, Flux.

The directory holds `model.safetensors` and `config/`, a diffusers pipeline's configurations with
the weights of those components only that the file lacks. diffusers finds the parts in the file by
the names of their tensors. Nothing is fetched and no code from the checkpoint is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import SingleFileComponentError
from safetensors import SafetensorError
from torch import nn

from models_backend.checkpoint_format import (
    SINGLE_FILE_CONFIG,
    SINGLE_FILE_INDEX,
    SINGLE_FILE_WEIGHTS,
    Layout,
)
from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.checking_single_file import check_single_file
from models_backend.families.diffusers_pipelines.files import left_out, loading_precision
from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline
from models_backend.files import read_json
from models_backend.nn.bars import hide_bars_of_diffusers

_LOAD_ERRORS = (
    OSError, ValueError, ImportError, TypeError, AttributeError, KeyError, RuntimeError,
    SafetensorError, SingleFileComponentError,
)  # fmt: skip
_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}


class SingleFilePipeline(DiffusersPipeline):
    """A pipeline read from one file; sampled as any other."""

    name = Layout.SINGLE_FILE.value

    @classmethod
    def load(cls, folder: Path, device: str) -> Self:
        """Raises `CheckpointError` when diffusers cannot load it, or weights are missing."""
        hide_bars_of_diffusers()
        try:
            pipeline = _load(folder, loading_precision([folder / SINGLE_FILE_WEIGHTS], device))
            _check_whole(pipeline)
        except _LOAD_ERRORS as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise CheckpointError(
                f"{folder} is not a single file that diffusers can load: {reason}"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline.to(device))

    @classmethod
    def check(cls, folder: Path) -> None:
        _ = cls(check_single_file(folder)).denoiser


def _load(folder: Path, precision: torch.dtype) -> Any:
    index = read_json(folder / SINGLE_FILE_INDEX)
    kind: Any = getattr(diffusers, str(index.get("_class_name")), None)
    if not hasattr(kind, "from_single_file"):
        raise ValueError(f"{index.get('_class_name')} cannot be read from one file")
    options = left_out(index)
    for name in index:
        if any((folder / SINGLE_FILE_CONFIG / name).glob("*.safetensors")):
            options[name] = _component(folder / SINGLE_FILE_CONFIG / name, index[name], precision)
    return kind.from_single_file(
        str(folder / SINGLE_FILE_WEIGHTS), config=str(folder / SINGLE_FILE_CONFIG),
        local_files_only=True, torch_dtype=precision, **options,
    )  # fmt: skip


def _component(folder: Path, named: list[str], precision: torch.dtype) -> nn.Module:
    """Load a component that the file lacks from its own safetensors."""
    library, kind = named
    loaded: nn.Module = getattr(_LIBRARIES[library], kind).from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=precision
    )
    return loaded


def _check_whole(pipeline: Any) -> None:
    """Refuse what diffusers leaves empty, without a word, where a tensor is missing."""
    for name, part in pipeline.components.items():
        if not isinstance(part, nn.Module):
            continue
        empty = [key for key, value in part.named_parameters() if value.is_meta]
        if empty:
            raise ValueError(f"{name} lacks {len(empty)} tensors, such as {empty[0]}")
