"""What a device computes in: bfloat16 on a GPU that has it, single precision elsewhere; layout."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import torch
from torch import nn

from models_backend.errors import InputError

logger = logging.getLogger(__name__)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU computes bfloat16 by itself; emulated it is slower than single precision."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def sampling_dtype(device: torch.device) -> torch.dtype:
    """Return the precision our own checkpoints are sampled in.

    On a CPU single precision, which is faster there. A GPU without bfloat16 takes it too: these
    networks are trained in the range of bfloat16, which half precision may overflow.
    """
    if has_bfloat16(device):
        return torch.bfloat16
    if device.type == "cuda":
        _say_single_precision(torch.cuda.get_device_name(device))
    return torch.float32


def sampling_autocast(device: torch.device, weights: torch.dtype) -> AbstractContextManager[object]:
    """Return a context in which single-precision weights are sampled as :func:`sampling_dtype`."""
    if weights == torch.float32 and has_bfloat16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def refuse_without_bfloat16(precision: str, device: torch.device, stage: str) -> None:
    """Raise `InputError` where a training asks for bfloat16 on a GPU that has none."""
    if precision == "bf16" and device.type == "cuda" and not has_bfloat16(device):
        raise InputError(
            f"{stage}: mixed_precision bf16, and {torch.cuda.get_device_name(device)} does not "
            'compute bfloat16 (GPUs since Ampere do); set mixed_precision = "no", or train on '
            "another GPU"
        )


def lay_out_for_convolutions(network: nn.Module, device: torch.device) -> None:
    """On a GPU keep weights as its convolutions take them: channels last, not copied each time."""
    if device.type == "cuda":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@lru_cache
def _say_single_precision(name: str) -> None:
    logger.warning("%s does not compute bfloat16: sampling in single precision, slower", name)
