"""A tuned pipeline's directory: the parent's files as they are, and the network that was tuned."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_backend.checkpoint_format import PIPELINE_INDEX
from models_backend.families.diffusers_pipelines.files import component_variant, loaded_weights
from models_backend.families.diffusers_pipelines.stored import READABLE, dtypes_of, round_to
from models_backend.files import read_json

_COPIED = {".json", ".txt", ".model", ".jsonl", ".md"}


def save_pipeline(
    parent: Path, folder: Path, component: str, network: Any, state: Mapping[str, Tensor]
) -> None:
    """Write the pipeline of `parent` with other weights of one component.

    Each weight is rounded to the precision that it has in the parent.

    Args:
        parent: a diffusers pipeline's directory.
        folder: of the new one; made here.
        component: `unet` or `transformer`.
        network: of the component's class and configuration; not changed.
        state: its weights, under the names that its class has for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = read_json(parent / PIPELINE_INDEX)
    shutil.copyfile(parent / PIPELINE_INDEX, folder / PIPELINE_INDEX)
    for licence in sorted(path for path in parent.glob("LICEN[CS]E*") if path.is_file()):
        shutil.copyfile(licence, folder / licence.name)
    for name in sorted(index):
        if (parent / name).is_dir():
            _copy(parent / name, folder / name, weights=name != component)
    _write(parent / component, folder / component, network, state)


def _copy(source: Path, to: Path, *, weights: bool) -> None:
    """Copy what is loaded of a component: weights in one precision, no pickles beside them."""
    to.mkdir()
    loaded = set(loaded_weights(source))
    for path in sorted(source.iterdir()):
        is_table = path.name.endswith(".safetensors.index.json")
        if path in loaded or is_table:
            if weights:
                shutil.copyfile(path, to / path.name)
        elif path.is_file() and path.suffix in _COPIED:
            shutil.copyfile(path, to / path.name)


def _write(source: Path, to: Path, network: Any, state: Mapping[str, Tensor]) -> None:
    config = (to / "config.json").read_bytes()
    with torch.device("meta"):
        plain = type(network).from_config(network.config)
    held = {name: value.detach().cpu() for name, value in state.items()}
    plain.load_state_dict(held, assign=True)
    round_to(plain, dtypes_of(loaded_weights(source)))
    plain.save_pretrained(to, safe_serialization=True, variant=component_variant(source))
    (to / "config.json").write_bytes(config)  # as the parent has it, whichever version wrote it
    for path in to.glob("*.safetensors"):
        path.chmod(READABLE)
