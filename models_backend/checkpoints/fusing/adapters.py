"""Adding LoRAs to a pipeline's weights: diffusers fuses, and what it passes over is refused."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from torch import nn

from models_backend.checkpoint_format import file_sha256
from models_backend.checkpoints.fusing.layers import Layer, alphas_of, find_layers
from models_backend.errors import CheckpointError, InputError

LARGEST_SCALE = 10.0
_NAME = "adapter"
_FOREIGN = {
    "hada_": "LoHa (LyCORIS)",
    "lokr_": "LoKr (LyCORIS)",
    "dora_scale": "DoRA",
    "oft_": "OFT",
    ".ia3_": "IA3",
}


@dataclass(frozen=True)
class Adapter:
    """A file of LoRA weights and how much of it to add."""

    file: Path
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and 0 < abs(self.scale) <= LARGEST_SCALE):
            raise InputError(
                f"scale {self.scale:g} of {self.file.name}: accepted are numbers from "
                f"-{LARGEST_SCALE:g} to {LARGEST_SCALE:g} other than 0; 1 adds the LoRA as it was "
                "trained"
            )


def lora_parts(pipeline_class: Any) -> list[str]:
    """Return the components of a pipeline class that a LoRA can change.

    Raises:
        CheckpointError: diffusers loads no LoRA into it.
    """
    if not hasattr(pipeline_class, "load_lora_weights"):
        raise CheckpointError(
            f"diffusers {diffusers.__version__} loads no LoRA into a {pipeline_class.__name__}; "
            "fuse it where it was trained and register the whole pipeline"
        )
    return list(pipeline_class._lora_loadable_modules)


def fuse_adapter(pipeline: Any, adapter: Adapter) -> dict[str, Any]:
    """Add an adapter to a pipeline's weights, in place; return what was added, for the record.

    Raises:
        CheckpointError: the file is no LoRA, or any tensor of it does not fit this pipeline.
    """
    _refuse_foreign(adapter.file)
    parts = {
        name: part
        for name in lora_parts(type(pipeline))
        if isinstance(part := getattr(pipeline, name, None), nn.Module)
    }
    try:
        layers, alphas = _read(pipeline, adapter, parts)
        with warnings.catch_warnings():
            # Of alphas that it could not place: `_set_scaling` does.
            warnings.filterwarnings("ignore", "The following alpha_pattern keys")
            pipeline.load_lora_weights(
                str(adapter.file), adapter_name=_NAME, local_files_only=True, use_safetensors=True
            )
        injected = _injected(parts)
        _check_all_used(injected.keys(), layers, adapter)
        if alphas is not None:
            _set_scaling(injected, alphas)
        with _one_thread():
            pipeline.fuse_lora(
                components=list(parts), lora_scale=adapter.scale, safe_fusing=True,
                adapter_names=[_NAME],
            )  # fmt: skip
        pipeline.unload_lora_weights()
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CheckpointError(
            f"{adapter.file.name} does not fit {type(pipeline).__name__} of the base: "
            f"{_reason(error)}; give the base it was trained for"
        ) from error
    return {
        "file": adapter.file.name,
        "sha256": file_sha256(adapter.file),
        "scale": adapter.scale,
        "layers": dict(sorted(Counter(layer.component for layer in layers).items())),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order: with another number of threads, the last bits differ."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _read(
    pipeline: Any, adapter: Adapter, parts: dict[str, nn.Module]
) -> tuple[frozenset[Layer], dict[Layer, float] | None]:
    """Return the layers the file changes and, where it tells, their alphas.

    Raises:
        CheckpointError: a tensor of it belongs to no module of the pipeline, or stands without the
            other one of its layer.
    """
    options = {"unet_config": pipeline.unet.config} if "unet" in parts else {}
    read = pipeline.lora_state_dict(
        str(adapter.file), return_lora_metadata=True, local_files_only=True, use_safetensors=True,
        **options,
    )  # fmt: skip
    tensors, alphas = (read[0], read[1] if len(read) > 2 else None)
    found = find_layers(tensors, parts)
    if found.unmatched or not found.layers:
        examples = ", ".join(found.unmatched[:3])
        raise CheckpointError(
            f"{len(found.unmatched)} of {len(tensors)} tensors of {adapter.file.name} belong to "
            f"nothing in {type(pipeline).__name__} of the base (first: {examples}); give the base "
            "it was trained for"
        )
    if found.halved:  # peft would fill the other half in, at random
        raise CheckpointError(
            f"{adapter.file.name} lacks one of the two tensors of {len(found.halved)} of its "
            f"{len(found.layers)} layers (first: {found.halved[0]} stands alone); copy or download "
            "it again, or save it again where it was trained"
        )
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise CheckpointError(f"{adapter.file.name} holds NaN or infinity in {bad[0]}; train again")
    return found.layers, alphas_of(alphas, parts) if alphas else None


def _injected(parts: dict[str, nn.Module]) -> dict[Layer, LoraLayer]:
    return {
        Layer(component, path): module
        for component, part in parts.items()
        for path, module in part.named_modules()
        if isinstance(module, LoraLayer)
    }


def _check_all_used(injected: Any, layers: frozenset[Layer], adapter: Adapter) -> None:
    left = sorted(layers - injected, key=lambda layer: (layer.component, layer.path))
    if left:
        examples = ", ".join(f"{layer.component}.{layer.path}" for layer in left[:3])
        raise CheckpointError(
            f"diffusers {diffusers.__version__} took up {len(layers) - len(left)} of "
            f"{len(layers)} layers of {adapter.file.name} (first left out: {examples}); fuse it "
            "where it was trained and register the whole pipeline"
        )


def _set_scaling(injected: dict[Layer, LoraLayer], alphas: dict[Layer, float]) -> None:
    """Give each layer alpha / rank: diffusers mislays alphas that differ between layers."""
    for layer, module in injected.items():
        rank = module.r[_NAME]
        module.scaling[_NAME] = alphas.get(layer, rank) / rank


def _refuse_foreign(file: Path) -> None:
    """Refuse kinds of adapters that would be left out in part, and files that are no adapter."""
    try:
        with safe_open(file, "pt") as tensors:
            names = list(tensors.keys())
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file.name} cannot be read as safetensors ({error})") from error
    for mark, kind in _FOREIGN.items():
        if any(mark in name for name in names):
            raise CheckpointError(
                f"{file.name} is a {kind} adapter; LoRAs are accepted. Fuse it where it was "
                "trained and register the whole pipeline"
            )
    if not any("lora" in name for name in names):
        raise CheckpointError(
            f"{file.name} holds no LoRA: none of its {len(names)} tensors is named so (first: "
            f"{', '.join(names[:2]) or 'none'})"
        )


def _reason(error: Exception) -> str:
    """Return the first complaint of a long list."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    sizes = [line for line in lines if line.startswith("size mismatch")]
    said = (sizes or lines or [type(error).__name__])[0]
    if said.endswith(":"):  # what it speaks of stands below
        said = " ".join([said, *lines[1:2]])
    said = said[:300].rstrip(".")
    return f"{said} (and {len(sizes) - 1} more)" if len(sizes) > 1 else said
