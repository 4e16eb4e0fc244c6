"""Low-rank adapters by peft: put into a network, taken out as a file, merged into its weights."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftConfig
from peft import inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import check_target_module_exists
from safetensors.torch import save_file
from torch import Tensor, nn

from models_backend.configuration.tuning import LoraConfig
from models_backend.errors import InputError

FILE = "pytorch_lora_weights.safetensors"
"""Where diffusers' `load_lora_weights` looks."""
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj",
             "to_add_out")  # fmt: skip
"""The projections of attention, by the names that diffusers has for them in every network."""
_NAME = "default"


def add_lora(network: nn.Module, config: LoraConfig, seed: int) -> None:
    """Freeze a network and put an adapter into it, drawn from `seed`; it changes nothing yet.

    The adapter is in single precision whatever the network is in.

    Raises:
        InputError: no layer of these names, or a rank above a layer's width.
    """
    targets = list(config.targets or ATTENTION)
    given = PeftConfig(
        r=config.rank, lora_alpha=config.alpha or config.rank, target_modules=targets,
        init_lora_weights="gaussian",
    )  # fmt: skip
    layers = {
        name: module for name, module in network.named_modules()
        if check_target_module_exists(given, name)
    }  # fmt: skip
    _refuse_unfit(network, layers, config)
    network.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(given, network, adapter_name=_NAME)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _refuse_unfit(network: nn.Module, layers: dict[str, Any], config: LoraConfig) -> None:
    linear = {
        name: module for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }  # fmt: skip
    for target in config.targets:
        if not any(name == target or name.endswith(f".{target}") for name in linear):
            ends = sorted({_end_of(name) for name in linear})
            raise InputError(
                f"lora.targets {target!r}: no layer of the network is called so; it has "
                f"{', '.join(ends)}"
            )
    if not layers:
        raise InputError("lora: the network has no layer of attention; name lora.targets")
    widths = {
        name: min(module.weight.shape[:2]) for name, module in layers.items() if name in linear
    }
    narrow = {name: width for name, width in widths.items() if width < config.rank}
    if narrow:
        name, width = min(narrow.items(), key=itemgetter(1))
        raise InputError(
            f"lora.rank {config.rank}: above the width of {len(narrow)} of {len(widths)} layers "
            f"({width} of {name}); take at most {width}, or other lora.targets"
        )


def _end_of(name: str) -> str:
    *_, before, last = ["", *name.split(".")]
    return f"{before}.{last}" if last.isdigit() and before else last


def merged_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of the network with its adapter added, under their names without it."""
    state = {
        name.replace(".base_layer.", "."): value.detach()
        for name, value in network.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in _layers(network):
        change = layer.get_delta_weight(_NAME).detach()
        weight = state[f"{name}.weight"]
        state[f"{name}.weight"] = weight.float() + change.to(weight.device).float()
    return state


def adapter_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the adapter alone, its alpha multiplied in: programs then need not be told it."""
    state: dict[str, Tensor] = {}
    for name, layer in _layers(network):
        down, up = layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight
        state[f"{name}.lora_A.weight"] = down.detach().cpu().contiguous()
        state[f"{name}.lora_B.weight"] = (up.detach() * layer.scaling[_NAME]).cpu().contiguous()
    return state


def save_adapter(network: nn.Module, component: str, folder: Path) -> None:
    """Write the adapter as diffusers names it."""
    tensors = {f"{component}.{name}": value for name, value in adapter_state(network).items()}
    save_file(tensors, folder / FILE, metadata={"format": "pt"})


def _layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in network.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module
