"""Whether weights fit a network: by the names and shapes of their tensors, without reading any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from models_backend.errors import CheckpointError
from models_backend.files import read_json

_SHOWN = 3


def tensors_in(files: Iterable[Path]) -> dict[str, Tensor]:
    """Return every tensor of safetensors files as one of its shape that takes no memory.

    Raises:
        SafetensorError: a file is none.
    """
    found: dict[str, Tensor] = {}
    for path in files:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                found[name] = torch.empty(file.get_slice(name).get_shape(), device="meta")
    return found


def tensors_of(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a component's folder, whole or in shards.

    Raises:
        CheckpointError: a table of shards that speaks of other tensors than the shards hold.
    """
    shards = {path.name: tensors_in([path]) for path in sorted(folder.glob("*.safetensors"))}
    for table in folder.glob("*.safetensors.index.json"):
        told = read_json(table).get("weight_map")
        wrong = [
            name
            for name, shard in (told.items() if isinstance(told, dict) else ())
            if name not in shards.get(shard, {})
        ]
        if wrong:
            raise CheckpointError(
                f"{folder.name} lacks {_listed(wrong)}: {table.name} names tensors that its shards "
                "do not hold; copy the shards and their table from one place"
            )
    return {name: tensor for each in shards.values() for name, tensor in each.items()}


def refuse_misfit(what: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Hold tensors that were found against those that a network wants.

    Raises:
        CheckpointError: one is missing, of another shape, or not wanted; it names `what` and them.
    """
    shapes = {
        name: (tuple(found[name].shape), tuple(wanted[name].shape))
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    }
    refuse_unfit(what, wanted.keys() - found.keys(), found.keys() - wanted.keys(), shapes)


def refuse_unfit(
    what: str,
    missing: Iterable[str],
    unexpected: Iterable[str],
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    """Say how a component's weights do not fit; `shapes` are as found and as wanted, by tensor.

    Raises:
        CheckpointError: where there is something to say.
    """
    said = []
    if missing := sorted(missing):
        said.append(f"lacks {_listed(missing)}")
    if shapes:
        first = min(shapes)
        found, wanted = (" x ".join(map(str, each)) or "a number" for each in shapes[first])
        others = f" (and {len(shapes) - 1} more such)" if len(shapes) > 1 else ""
        said.append(f"holds {first} as {found} where its configuration wants {wanted}{others}")
    if unexpected := sorted(unexpected):
        said.append(f"holds {_listed(unexpected)}, which its configuration has no place for")
    if said:
        raise CheckpointError(
            f"{what} {', '.join(said)}; its weights and its configuration belong to two models or "
            "one of them is incomplete: copy both again from one place"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} tensor{'s' * (len(names) > 1)}, {', '.join(names[:_SHOWN])}{more}"
