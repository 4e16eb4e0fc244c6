"""Whether a training fits into memory, asked before it begins."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch
from torch import nn

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError
from models_backend.nn.memory import available_bytes, held_by_others
from models_backend.training.learned import learned_parameters

_FLOAT, _HALF = 4, 2
_OF_MOMENTS = {"adamw": 8, "adamw8bit": 2, "adafactor": 0}
"""Bytes a parameter that an optimiser keeps; Adafactor's rows and columns are nearly nothing."""
_GIB = 2**30
_EIGHT_BITS = 'optimizer = "adamw8bit"'


def training_bytes(parameters: int, config: LoopConfig, *, gradient: int = _FLOAT) -> int:
    """Return the least a training of so many parameters allocates beside the weights themselves.

    Gradient (of so many bytes a number), the optimiser's state, and the average in single
    precision. Activations come on top: they depend on the batch, so this is a lower bound.
    """
    average = _FLOAT * bool(config.ema_decay)
    return parameters * (gradient + _OF_MOMENTS[config.optimizer] + average)


@dataclass(frozen=True)
class Tuned:
    """What is tuned, in numbers that memory hangs on."""

    trained: int
    """Parameters that a gradient changes."""
    frozen: int = 0
    """Parameters of the same network that stay."""
    halves: bool = False
    """Whether the network's own weights lie in bfloat16; an adapter's are single."""
    whole_example: int = 0
    """Bytes that the backward pass keeps of one example's forward pass."""
    checkpointed_example: int = 0
    """The same with gradient checkpointing."""
    beside: int = 0
    """Bytes of other networks that stay on the device."""


@dataclass(frozen=True)
class Need:
    """Bytes that a training takes, roughly."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    casts: int
    """Of weights in bfloat16, which mixed precision makes of single ones at every step."""
    activations: int

    @property
    def total(self) -> int:
        return sum(vars(self).values())

    def __str__(self) -> str:
        parts = (f"{name} {value / _GIB:.2f}" for name, value in vars(self).items() if value)
        return f"about {self.total / _GIB:.2f} GiB ({', '.join(parts)})"


def need_of(tuned: Tuned, config: LoopConfig, *, processes: int = 1) -> Need:
    """Return what a process of a training takes; activations are a rough figure."""
    is_whole = not tuned.frozen
    single = tuned.trained * (not is_whole or not tuned.halves)
    single += tuned.frozen * (not tuned.halves)
    own = _HALF if tuned.halves else _FLOAT
    of_trained = own if is_whole else _FLOAT
    share = -(-config.batch_size // processes)
    rows = min(config.micro_batch_size or share, share)
    example = tuned.whole_example
    if config.gradient_checkpointing:
        example = tuned.checkpointed_example
    return Need(
        weights=tuned.frozen * own + tuned.trained * of_trained + tuned.beside,
        gradients=tuned.trained * of_trained,
        optimizer=tuned.trained * _OF_MOMENTS[config.optimizer],
        average=tuned.trained * _FLOAT * bool(config.ema_decay),
        casts=single * _HALF * (config.mixed_precision == "bf16"),
        activations=rows * example,
    )


def _is_whole_half(tuned: Tuned) -> bool:
    """Return whether all of a network is tuned in bfloat16, which takes Adafactor alone."""
    return tuned.halves and not tuned.frozen


def what_fits(tuned: Tuned, config: LoopConfig, free: int, *, processes: int = 1) -> list[str]:
    """Return the fewest settings, in the order of what they cost, with which it fits; [] if none.

    The first of them cost time alone, the last change what is learned.
    """
    chosen: list[str] = []
    for said, change in (
        ("micro_batch_size = 1", {"micro_batch_size": 1}),
        ("gradient_checkpointing = true", {"gradient_checkpointing": True}),
        (_EIGHT_BITS, {"optimizer": "adamw8bit"}),
        ('weights = "bf16"', {}),
        ('optimizer = "adafactor"', {"optimizer": "adafactor"}),
        ("ema_decay = 0", {"ema_decay": 0.0}),
        ("[lora] rank = 16", {}),
    ):
        before = tuned, config
        if said == _EIGHT_BITS and (config.optimizer != "adamw" or _is_whole_half(tuned)):
            continue
        if said.startswith("weights"):
            # AdamW does not take whole bfloat16 weights.
            tuned = replace(tuned, halves=True)
            change = {} if tuned.frozen else {"optimizer": "adafactor"}
            said = said if tuned.frozen else f'{said} with optimizer = "adafactor"'
        elif said.startswith("[lora]"):
            if tuned.frozen:
                continue
            few = tuned.trained // 100
            tuned = replace(tuned, trained=few, frozen=tuned.trained)
        config = replace(config, **change)
        if (tuned, config) == before:
            continue
        if "adafactor" in said:
            chosen = [each for each in chosen if each != _EIGHT_BITS]
        chosen.append(said)
        if need_of(tuned, config, processes=processes).total <= free:
            return chosen
    return []


def state_memory(tuned: Tuned, config: LoopConfig, device: torch.device, stage: str) -> Need:
    """Return what the training of a stage takes on `device`.

    Raises:
        InputError: a GPU has less; the text names the settings with which it would fit.
    """
    from accelerate.state import AcceleratorState, DistributedType, PartialState

    processes = PartialState().num_processes
    need = need_of(tuned, config, processes=processes)
    sharded = AcceleratorState().distributed_type == DistributedType.FSDP
    if device.type == "cuda" and not sharded:
        refuse_what_does_not_fit(
            tuned, config, available_bytes(device), f"{_name(device)}{held_by_others(device)}",
            stage, processes=processes,
        )  # fmt: skip
    return need


def refuse_what_does_not_fit(
    tuned: Tuned, config: LoopConfig, free: int, where: str, stage: str, *, processes: int = 1
) -> None:
    """Raise `InputError` where a training needs more than is free, with settings that would fit."""
    need = need_of(tuned, config, processes=processes)
    if need.total <= free:
        return
    fitting = what_fits(tuned, config, free, processes=processes)
    how = (
        f"it would fit with {', '.join(fitting)}"
        if fitting
        else (
            "no setting here makes it fit: take a smaller image_size, a larger GPU, or shard it "
            "(FSDP, see docs/training.md)"
        )
    )
    raise InputError(
        f"{stage}: this needs {need}, and {free / _GIB:.1f} GiB are free on {where}; {how}"
    )


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
    learned = learned_parameters(module).values()
    trained = sum(p.numel() for p in learned)
    gradient = min((p.element_size() for p in learned), default=_FLOAT)
    moved = device.type == "cuda" and next(module.parameters()).device.type != "cuda"
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    needed = training_bytes(trained, config, gradient=gradient) + weights * moved
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
