"""Loading the model of a checkpoint directory, whichever layout and family it is of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_backend.checkpoint_format import (
    METADATA,
    PIPELINE_INDEX,
    TUNED_PIPELINE,
    Layout,
    content_sha256,
    layout_of,
)
from models_backend.checkpoints.directory import file_hashes, read_metadata
from models_backend.configuration.tuning import TuneConfig
from models_backend.errors import CheckpointError, InputError
from models_backend.families.registry import family_named, family_of_layout

if TYPE_CHECKING:
    from models_backend.families.base import Family


class _OfNothing(logging.Filter):
    """Drops the warning of diffusers that modules are cast, where it names none.

    The list stands in the message itself. It is not put together with its arguments: of a record
    where they do not fit this fails, and logging says so better.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return "kept in float32: []" not in str(record.msg)


_of_nothing = _OfNothing()


def _warn_of_nothing() -> None:
    """Let diffusers say nothing of what is not there, which every model moved would repeat."""
    logging.getLogger("diffusers.models.modeling_utils").addFilter(_of_nothing)


def load(folder: Path, device: str) -> tuple[Family, dict[str, Any]]:
    """Return the model of a directory that the trainer wrote, and its metadata.

    Raises:
        CheckpointError: see :func:`read_metadata`; or a family this version does not have.
    """
    metadata = read_metadata(folder)
    try:
        family = family_named(str(metadata.get("family")))
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    _warn_of_nothing()
    return family.load(folder, device), metadata


def load_to_tune(folder: Path, config: TuneConfig) -> tuple[Family, str]:
    """Return the model that a recipe goes on from, on the CPU, and its content hash.

    Raises:
        CheckpointError: the directory is no checkpoint, was changed, or cannot be loaded.
        InputError: it is of a family that is not trained here, or not as `config` asks.
    """
    layout = layout_of(lambda name: (folder / name).is_file())
    if layout is Layout.SINGLE_FILE:
        raise InputError(
            f"{folder} is a single file; write it as a pipeline's directory first",
            by_command=f"`python -m models_backend.fuse {folder} DIRECTORY` does it.",
        )
    name = TUNED_PIPELINE
    if layout is not Layout.DIFFUSERS_PIPELINE:
        name = str(read_metadata(folder).get("family"))
    try:
        family = family_named(name)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    _warn_of_nothing()
    return family.load_to_tune(folder, config), sha256_of(folder)


def sha256_of(folder: Path) -> str:
    """Return the content hash of a checkpoint of any layout: the one it is registered under.

    Raises:
        CheckpointError: it has metadata, which say otherwise.
    """
    if (folder / METADATA).is_file() or not (folder / PIPELINE_INDEX).is_file():
        return str(read_metadata(folder)["sha256"])
    return content_sha256(file_hashes(folder))


def load_pipeline(folder: Path, device: str | None = None) -> Family:
    """Return the model of a checkpoint directory: ours, a diffusers pipeline, or a single file.

    `device` defaults to a GPU where there is one.

    Raises:
        CheckpointError: the directory is neither, or was changed.
    """
    chosen = device or _default_device()
    layout = layout_of(lambda name: (folder / name).is_file())
    if layout in (None, Layout.TRAINED):  # of a directory with no layout, reading says what lacks
        return load(folder, chosen)[0]
    _warn_of_nothing()
    return family_of_layout(layout).load(folder, chosen)


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
