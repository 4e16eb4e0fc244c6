"""Weights that FSDP2 spreads over processes: made whole to be saved, and when a stage ends."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed._composable.contract import REGISTRY_KEY, STATE_KEY
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor that FSDP spread over processes as one; every process must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own(tensor: Tensor) -> Tensor:
    """Return the part of a tensor this process holds, sharing its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, reference: Tensor) -> Tensor:
    """Return a whole `tensor` spread over processes, and on the device, as `reference` is."""
    if isinstance(reference, DTensor):
        placed = tensor.to(reference.device)
        return distribute_tensor(placed, reference.device_mesh, reference.placements)
    return tensor.to(reference.device)


@torch.no_grad()
def make_whole(module: nn.Module) -> None:
    """Undo `fully_shard` in place: plain parameters, no hooks; every process must call this.

    torch has no public way back, and a family keeps using the module it gave to the trainer.
    """
    sharded: list[Any] = [part for part in module.modules() if isinstance(part, FSDPModule)]
    for each in sharded:
        each.reshard()
    parts: list[nn.Module] = list(module.modules())
    for part in parts:
        for name, parameter in list(part._parameters.items()):
            if isinstance(parameter, DTensor):
                part._parameters[name] = nn.Parameter(parameter.full_tensor())
    for each in sharded:
        state = each._get_fsdp_state()
        for handle in (state._pre_forward_hook_handle, state._post_forward_hook_handle):
            handle.remove()
        each.__class__ = type(each).__mro__[2]  # FSDPUNet(FSDPModule, UNet)
        for key in (STATE_KEY, REGISTRY_KEY):
            each.__dict__.pop(key, None)
