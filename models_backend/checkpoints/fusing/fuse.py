"""Base and parts and LoRAs to a new checkpoint directory, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffusers

from models_backend.checkpoint_format import PIPELINE_INDEX
from models_backend.checkpoints.fusing.adapters import Adapter, fuse_adapter, lora_parts
from models_backend.checkpoints.fusing.base import copy_base
from models_backend.checkpoints.fusing.parts import Part, replace_part
from models_backend.errors import CheckpointError, InputError
from models_backend.families.diffusers_pipelines.files import load_directory, variant_of
from models_backend.families.diffusers_pipelines.stored import (
    dtypes_of,
    round_to,
    weight_files,
    write_weights,
)
from models_backend.files import read_json, temporary_sibling

Say = Callable[[str], None]


def fuse(
    base: Path,
    out: Path,
    *,
    adapters: Sequence[Adapter] = (),
    parts: Sequence[Part] = (),
    weights: str | None = None,
    say: Say = lambda what: None,
) -> dict[str, Any]:
    """Write `base` with parts replaced, then adapters added, as a diffusers pipeline at `out`.

    Sums are taken in single precision and rounded to the precision the base is stored in. The same
    inputs give the same bytes. `weights` says which of the base's own weights are taken, where it
    has averaged ones: `ema` or `plain`.

    Returns what was done, as plain values. Raises:
        CheckpointError: something does not fit; nothing is left at `out`.
        InputError: `out` is there already or in no folder, or two parts are for one component.
    """
    _check_asked(out, parts)
    partial = temporary_sibling(out)
    try:
        say("copying the base")
        averaged = copy_base(base, partial, weights)
        index = read_json(partial / PIPELINE_INDEX)
        replaced = []
        for part in (*averaged, *parts):
            say(f"replacing {part.component}")
            replaced.append(replace_part(partial, index, part))
        added = _add(partial, index, adapters, say) if adapters else []
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    record: dict[str, Any] = {"recipe": "fused"} | ({"weights": weights} if weights else {})
    if replaced:
        record["parts"] = replaced
    if added:
        record["adapters"] = added
    return record | {"versions": {name: version(name) for name in ("diffusers", "peft", "torch")}}


def _check_asked(out: Path, parts: Sequence[Part]) -> None:
    if out.exists():
        raise InputError(f"{out} is there already; give a new directory")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}, where {out.name} is to be made, is no folder; make it")
    again = [name for name, n in Counter(each.component for each in parts).items() if n > 1]
    if again:
        raise InputError(f"two parts for {again[0]}; give one")


def _add(
    folder: Path, index: dict[str, Any], adapters: Sequence[Adapter], say: Say
) -> list[dict[str, Any]]:
    """Add adapters to the pipeline at `folder`; only components they change are written anew."""
    kind = getattr(diffusers, str(index.get("_class_name")), None)
    if kind is None:
        raise CheckpointError(f"diffusers {diffusers.__version__} has no {index['_class_name']}")
    changeable = [name for name in lora_parts(kind) if (folder / name).is_dir()]
    idle = {
        name for name in index
        if name not in changeable and (folder / name).is_dir() and weight_files(folder / name)
    }  # fmt: skip
    say("loading the base")
    pipeline = load_directory(folder, "cpu", without=idle)
    added = []
    for adapter in adapters:
        say(f"adding {adapter.file.name} by {adapter.scale:g}")
        added.append(fuse_adapter(pipeline, adapter))
    variant = variant_of(folder)
    for name in sorted({name for each in added for name in each["layers"]}):
        say(f"writing {name}")
        _store(getattr(pipeline, name), folder / name, variant)
    return added


def _store(component: Any, folder: Path, variant: str | None) -> None:
    files = [path for path in weight_files(folder) if path.suffix == ".safetensors"]
    of_variant = [path for path in files if variant and f".{variant}" in path.name]
    round_to(component, dtypes_of(of_variant or files))
    write_weights(component, folder, variant if of_variant else None)
