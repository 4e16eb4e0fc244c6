"""How a component's weights are stored: in which precision, and under which variant's name."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
READABLE = 0o644
"""Mode of files of weights: safetensors writes them for their owner alone."""
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


def dtypes_of(files: list[Path]) -> dict[str, torch.dtype]:
    """Return the dtype of every floating-point tensor by name; of eight bits, bfloat16."""
    found = {}
    for path in files:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                kind = file.get_slice(name).get_dtype()
                if kind.startswith(("F", "BF")):
                    found[name] = _DTYPES.get(kind, torch.bfloat16)
    return found


def weight_files(folder: Path) -> list[Path]:
    """Return a component's files of weights and tables of shards."""
    return sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))


def round_to(component: Any, dtypes: dict[str, torch.dtype]) -> None:
    """Round weights in place to the precision they had in a file, those it lacks to its usual."""
    usual = Counter(dtypes.values()).most_common(1)
    for name, tensor in chain(component.named_parameters(), component.named_buffers()):
        if tensor.is_floating_point():
            dtype = dtypes.get(name, usual[0][0] if usual else torch.float32)
            tensor.data = tensor.data.to(dtype)


def round_where_exact(component: Any, dtypes: dict[str, torch.dtype]) -> None:
    """Store in the usual precision of a file what loses nothing by it; the rest stays single."""
    usual = Counter(dtypes.values()).most_common(1)[0][0]
    tensors = [each for each in component.parameters() if each.is_floating_point()]
    if all(torch.equal(each.to(usual).to(each.dtype), each) for each in tensors):
        round_to(component, {"": usual})


def write_weights(component: Any, folder: Path, variant: str | None) -> None:
    """Put a component's weights into its folder in place of those there; its config stays."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        component.save_pretrained(new, safe_serialization=True, variant=variant)
        for old in weight_files(folder):
            old.unlink()
        for path in weight_files(Path(new)):
            path.chmod(READABLE)
            shutil.move(path, folder / path.name)


def config_of(folder: Path) -> dict[str, Any]:
    """Return a component's configuration."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config
