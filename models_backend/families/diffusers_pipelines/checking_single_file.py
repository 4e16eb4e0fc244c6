"""Whether diffusers would read a pipeline from one file, with its tensors known by their shapes.

diffusers itself finds and renames the parts; only its reading of the file and its filling of the
networks are replaced, for as long as `shapes_alone` lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders import single_file, single_file_model, single_file_utils

from models_backend.checkpoint_format import (
    SINGLE_FILE_CONFIG,
    SINGLE_FILE_INDEX,
    SINGLE_FILE_WEIGHTS,
)
from models_backend.errors import CheckpointError
from models_backend.families.diffusers_pipelines.checking import check_component, said
from models_backend.families.diffusers_pipelines.files import left_out
from models_backend.files import read_json
from models_backend.nn.bars import hide_bars_of_diffusers
from models_backend.nn.shapes import refuse_misfit, tensors_in


def check_single_file(folder: Path) -> Any:
    """Return the pipeline of a single file without its weights.

    Raises:
        CheckpointError: it would not load; the text names what is missing.
    """
    hide_bars_of_diffusers()
    index = read_json(folder / SINGLE_FILE_INDEX)
    kind: Any = getattr(diffusers, str(index.get("_class_name")), None)
    if not hasattr(kind, "from_single_file"):
        raise CheckpointError(f"{index.get('_class_name')} cannot be read from one file")
    config = folder / SINGLE_FILE_CONFIG
    parts = left_out(index)
    for name, source in index.items():
        if name not in parts and any((config / name).glob("*.safetensors")):
            parts[name] = check_component(config / name, name, *source)
    with shapes_alone():
        return said("the pipeline", kind.from_single_file)(
            str(folder / SINGLE_FILE_WEIGHTS), config=str(config), local_files_only=True, **parts
        )


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Let diffusers read shapes for tensors, and compare where it would fill."""
    modules = (single_file, single_file_model, single_file_utils)
    replaced = {
        "load_single_file_checkpoint": lambda path, **_: tensors_in([Path(path)]),
        "load_model_dict_into_meta": _compare,
        "dispatch_model": lambda network, **_: network,
    }
    with ExitStack() as undone:
        for module in modules:
            for name in replaced.keys() & vars(module).keys():
                undone.callback(setattr, module, name, vars(module)[name])
                setattr(module, name, replaced[name])
        yield


def _compare(network: torch.nn.Module, tensors: dict[str, Any], **_: Any) -> list[str]:
    """Refuse what would be left empty. What a file holds beyond its pipeline is passed over."""
    wanted = dict(network.named_parameters())
    found = {name: tensor for name, tensor in tensors.items() if name in wanted}
    refuse_misfit(type(network).__name__, wanted, found)
    return []
