"""Memory: what weights take, what is free, and what to do when there was too little."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterable

import psutil
import torch
from torch import nn

_OTHERS = 0.05  # of a GPU: what the driver and a context take, with room
_OUT_OF_MEMORY = (
    "defaultcpuallocator",  # "not enough memory" or "can't allocate memory: you tried to ..."
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "allocation_failed",  # cuDNN 9: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED and _HOST_
    "std::bad_alloc",
)
"""What libraries below PyTorch write, in lower case, when they raise a plain `RuntimeError`."""


def available_bytes(device: torch.device) -> int:
    """Return the free memory of a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def usable_bytes(device: torch.device, total: int) -> int:
    """Return what of a device's `total` bytes this process can come to hold.

    Of a GPU that other programs use, what they leave; of a machine's memory, all of it.
    """
    return total if device.type != "cuda" else total - _taken_by_others(device)


def held_by_others(device: torch.device) -> str:
    """Return a few words on the memory of a GPU that other programs hold; empty where little is."""
    if device.type != "cuda":
        return ""
    taken, total = _taken_by_others(device), torch.cuda.mem_get_info(device)[1]
    if taken < _OTHERS * total:
        return ""
    return f", {taken / 2**30:.1f} GiB of it held by other programs"


def _taken_by_others(device: torch.device) -> int:
    free, total = torch.cuda.mem_get_info(device)
    return max(0, int(total - free - torch.cuda.memory_reserved(device)))


def tensor_bytes(modules: Iterable[nn.Module], device: torch.device) -> int:
    """Return the bytes of all parameters and buffers on `device`; shared storages count once."""
    if device.type == "meta":
        return 0
    storages = {}
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.device == device:
                storage = tensor.untyped_storage()
                storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error`, or one it was raised from, says that an allocation failed.

    A smaller batch may then succeed. PyTorch has a class of its own for its GPU allocator; the CPU
    allocator, cuBLAS and cuDNN raise `RuntimeError` and say it in words.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(seen, RuntimeError) and any(
            words in str(seen).lower() for words in _OUT_OF_MEMORY
        ):
            return True
        seen = seen.__cause__
    return False


def release_memory(error: BaseException | None = None) -> None:
    """Give unused memory back; with the error of a failed batch, what its frames still hold, too.

    Call it with the error where it was caught: its traceback keeps every tensor of the failed call
    alive, and a smaller batch would find as little memory as the first.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
