"""Whether a training fits into memory, asked before it begins."""

from __future__ import annotations

import os

import torch
from torch import nn

from models_backend.errors import InputError
from models_backend.nn.memory import available_bytes, held_by_others
from models_backend.training.config import LoopConfig

_FLOAT = 4


def training_bytes(parameters: int, config: LoopConfig) -> int:
    """Return the least a training of so many parameters allocates beside the weights themselves.

    Gradient, two moments of AdamW and the average, each in single precision. Activations come on
    top: they depend on the batch, so this is a lower bound, not a promise.
    """
    return parameters * _FLOAT * (3 + bool(config.ema_decay))


def refuse_to_build(parameters: int, config: LoopConfig, stage: str) -> None:
    """Raise `InputError` where a network of so many parameters cannot even be made and trained.

    Asked before the weights exist, with the count of a network on the meta device: weights are
    made in the machine's memory; the training's state lies beside them, or on a GPU.
    """
    from accelerate import PartialState

    device = PartialState().device
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    weights, state = parameters * _FLOAT, training_bytes(parameters, config)
    if device.type == "cpu" and not sharded:
        weights += state
    available = available_bytes(torch.device("cpu"))
    if weights > available:
        raise InputError(
            f"{stage}: {parameters / 1e6:.0f} M parameters need at least {weights / 2**30:.1f} GiB "
            f"of memory, {available / 2**30:.1f} GiB are free; choose a smaller size"
        )
    if device.type == "cuda" and not sharded:
        _refuse_more_than_free(parameters, parameters * _FLOAT + state, device, stage)


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
    _refuse_more_than_free(parameters, needed, device, stage)


def _refuse_more_than_free(parameters: int, needed: int, device: torch.device, stage: str) -> None:
    available = available_bytes(device)
    if needed <= available:
        return
    others = held_by_others(device)
    instead = "wait for the other programs or take another GPU; or " if others else ""
    raise InputError(
        f"{stage}: {parameters / 1e6:.0f} M parameters need at least {needed / 2**30:.1f} GiB "
        f"to train, {available / 2**30:.1f} GiB are free on {_name(device)}{others}; "
        f"{instead}choose smaller widths, or shard over several devices (FSDP, see "
        "docs/training.md)"
    )


def _name(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    total = torch.cuda.mem_get_info(device)[1]
    return f"{torch.cuda.get_device_name(device)} ({total / 2**30:.1f} GiB)"
