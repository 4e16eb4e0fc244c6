"""LoRAs for tiny pipelines, in the names that trainers give them, and the weights they lead to.

As a program (`python -m tests.models_backend.tiny_loras PIPELINE FILE NAMES`) it writes one.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor, nn

RANK = 4
SIZE = 0.3
_DENOISER = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "net.0.proj", "net.2", "conv1",
)  # fmt: skip
_ENCODER = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
_KOHYA = {"unet": "lora_unet_", "text_encoder": "lora_te_"}
_KOHYA_XL = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}


@dataclass
class TinyLora:
    """A file, and by component and name the change that it describes at scale 1."""

    file: Path
    changes: dict[tuple[str, str], Tensor] = field(default_factory=dict)


def load(folder: Path) -> Any:
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write(folder: Path, file: Path, names: str, *, seed: int = 0, alpha: str = "each") -> TinyLora:
    """Write a LoRA of the pipeline in `folder` that changes all its layers of attention.

    `names` is kohya, diffusers or peft; only kohya's files hold alphas: one for `each` layer, or
    the `same`. Of the files of the others alpha is the rank.
    """
    pipeline = load(folder)
    generator = torch.Generator().manual_seed(seed)
    lora, tensors = TinyLora(file), {}
    prefixes = _KOHYA_XL if hasattr(pipeline, "text_encoder_2") else _KOHYA
    for number, (component, path, module) in enumerate(_layers(pipeline)):
        down, up = (SIZE * each for each in _pair(module.weight, generator))
        scale = 1.0
        if names == "kohya":
            value = 2.0 if alpha == "same" else 1.0 + number % 7
            scale = value / RANK
            name = prefixes[component] + _whole(component, path).replace(".", "_")
            tensors[f"{name}.lora_down.weight"] = down
            tensors[f"{name}.lora_up.weight"] = up
            tensors[f"{name}.alpha"] = torch.tensor(value)
        else:
            a, b = _marks(names, component)
            name = f"{component}.{_whole(component, path)}"
            tensors[f"{name}.{a}.weight"] = down
            tensors[f"{name}.{b}.weight"] = up
        change = (up.flatten(1).double() @ down.flatten(1).double()).reshape(module.weight.shape)
        lora.changes[component, f"{path}.weight"] = scale * change
    save_file(tensors, file, metadata={"format": "pt"})
    return lora


def _layers(pipeline: Any) -> Iterator[tuple[str, str, nn.Module]]:
    for component in ("unet", "transformer", "text_encoder", "text_encoder_2"):
        ends = _ENCODER if component.startswith("text") else _DENOISER
        part = getattr(pipeline, component, None)
        if part is None or component not in pipeline._lora_loadable_modules:
            continue
        for path, module in part.named_modules():
            if path.endswith(ends) and isinstance(module, nn.Linear | nn.Conv2d):
                yield component, path, module


def _pair(weight: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Down and up; of a convolution, up is one of a pixel."""
    spatial = (1,) * (weight.ndim - 2)
    down = torch.randn(RANK, *weight.shape[1:], generator=generator)
    return down, torch.randn(weight.shape[0], RANK, *spatial, generator=generator)


def _whole(component: str, path: str) -> str:
    """As files name layers of CLIP, whatever the installed class calls them."""
    is_text = component.startswith("text")
    return path if not is_text or path.startswith("text_model.") else f"text_model.{path}"


def _marks(names: str, component: str) -> tuple[str, str]:
    if names == "peft":
        return "lora_A", "lora_B"
    middle = "lora_linear_layer" if component.startswith("text") else "lora"
    return f"{middle}.down", f"{middle}.up"


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
