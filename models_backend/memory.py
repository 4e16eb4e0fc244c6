"""Whether a training fits the memory at hand, asked before anything is allocated."""

from __future__ import annotations

import os

import psutil
import torch
from torch import nn

from models_backend.config import LoopConfig
from models_backend.errors import InputError

_FLOAT = 4


def training_bytes(parameters: int, config: LoopConfig) -> int:
    """Return the least a training of so many parameters allocates beside the weights themselves.

    Gradient, two moments of AdamW and the average, each in single precision. Activations come on
    top: they depend on the batch, so this is a lower bound, not a promise.
    """
    return parameters * _FLOAT * (3 + bool(config.ema_decay))


def available_bytes(device: torch.device) -> int:
    """Return the free memory of a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def refuse_to_build(parameters: int, config: LoopConfig, stage: str) -> None:
    """Raise `InputError` where a network of so many parameters cannot even be made and trained.

    Asked before the weights exist, with the count of a network on the meta device: weights are
    made in the machine's memory, and on a CPU the training's state comes beside them.
    """
    from accelerate import PartialState

    needed = parameters * _FLOAT
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    if PartialState().device.type == "cpu" and not sharded:
        needed += training_bytes(parameters, config)
    available = available_bytes(torch.device("cpu"))
    if needed > available:
        raise InputError(
            f"{stage}: {parameters / 1e6:.0f} M parameters need at least {needed / 2**30:.1f} GiB "
            f"of memory, {available / 2**30:.1f} GiB are free; choose a smaller size"
        )


def refuse_too_little_memory(
    module: nn.Module, config: LoopConfig, device: torch.device, stage: str
) -> None:
    """Raise `InputError` where the training cannot fit; sharded training (FSDP) is not asked."""
    from accelerate.state import AcceleratorState, DistributedType

    if AcceleratorState().distributed_type == DistributedType.FSDP:
        return
    parameters = sum(p.numel() for p in module.parameters())
    moved = device.type == "cuda" and next(module.parameters()).device.type != "cuda"
    needed = training_bytes(parameters, config) + parameters * _FLOAT * moved
    available = available_bytes(device)
    if needed > available:
        raise InputError(
            f"{stage}: {parameters / 1e6:.0f} M parameters need at least {needed / 2**30:.1f} GiB "
            f"to train, {available / 2**30:.1f} GiB are free on {device}; choose smaller widths, "
            "or shard over several devices (FSDP, see docs/training.md)"
        )
