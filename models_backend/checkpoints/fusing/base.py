"""A copy of the base to work on, as a diffusers pipeline whatever layout it came in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from models_backend.checkpoint_format import (
    PIPELINE_INDEX,
    SINGLE_FILE_WEIGHTS,
    Layout,
    layout_of,
)
from models_backend.checkpoints.fusing.ema import with_ema
from models_backend.checkpoints.fusing.parts import Part
from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.single_file import SingleFilePipeline
from models_backend.families.diffusers_pipelines.stored import (
    READABLE,
    dtypes_of,
    round_where_exact,
)
from models_backend.files import read_json

_EMA_SUFFIX = "_ema"


def copy_base(base: Path, to: Path, weights: str | None) -> list[Part]:
    """Write the pipeline of `base` to `to`; return its averaged parts, where they are asked for.

    What is no part of the pipeline stays behind: metadata, the card, other weights.

    Raises:
        CheckpointError: no diffusers pipeline, or it has no averaged weights.
    """
    layout = layout_of(lambda name: (base / name).is_file())
    if layout is Layout.SINGLE_FILE:
        _unfold(base, to, weights)
        return []
    if layout is None or not (base / PIPELINE_INDEX).is_file():
        raise CheckpointError(
            f"{base} is no diffusers pipeline (no {PIPELINE_INDEX}); LoRAs and parts go into "
            "diffusers pipelines and single files alone"
        )
    index = read_json(base / PIPELINE_INDEX)
    averaged = [name for name in index if (base / f"{name}{_EMA_SUFFIX}").is_dir()]
    if weights == "ema" and not averaged:
        raise CheckpointError(
            f"{base} holds no EMA weights (no unet{_EMA_SUFFIX}/ or the like); take the plain ones",
            by_command="`--weights plain` takes them.",
        )
    to.mkdir()
    shutil.copyfile(base / PIPELINE_INDEX, to / PIPELINE_INDEX)
    for name in sorted(index):
        if (base / name).is_dir():
            shutil.copytree(base / name, to / name)
    for licence in sorted(path for path in base.glob("LICEN[CS]E*") if path.is_file()):
        shutil.copyfile(licence, to / licence.name)
    if weights != "ema":
        return []
    return [Part(name, base / f"{name}{_EMA_SUFFIX}", "ema") for name in averaged]


def _unfold(base: Path, to: Path, weights: str | None) -> None:
    """Write a single file as a directory, each part in the precision it has in the file."""
    source, temporary = base, to.with_name(f"{to.name}-ema")
    try:
        if weights == "ema":
            shutil.copytree(base, temporary, ignore=shutil.ignore_patterns(SINGLE_FILE_WEIGHTS))
            tensors = with_ema(base / SINGLE_FILE_WEIGHTS)
            save_file(tensors, temporary / SINGLE_FILE_WEIGHTS, metadata={"format": "pt"})
            source = temporary
        pipeline: Any = SingleFilePipeline.load(source, "cpu").pipeline
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    stored = dtypes_of([base / SINGLE_FILE_WEIGHTS])
    for component in pipeline.components.values():
        if hasattr(component, "named_parameters"):
            round_where_exact(component, stored)
    pipeline.save_pretrained(to, safe_serialization=True)
    for path in to.rglob("*.safetensors"):
        path.chmod(READABLE)
