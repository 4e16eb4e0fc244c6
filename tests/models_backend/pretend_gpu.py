"""A GPU made of this machine's memory: real numbers, and CUDA's rules about where a tensor is.

A tensor that was moved to `cuda`, and whatever is computed from it, counts as on the card; a call
that mixes it with one that was not moved raises what torch raises on a real card. So whole recipes
run, end in numbers, and stop at the line that forgot to move something. (torch's own fake CUDA
tensors hold no numbers: they end at the first `.item()`.)

What it cannot see: streams, kernels that one device lacks, memory, speed, rounding. `is_cuda` stays
False, since streams and events need a real card.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from accelerate.state import AcceleratorState, PartialState
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
_MOVES = {"cpu", "cuda", "to", "type_as"}
_MAY_MIX = {
    "copy_", "_foreach_copy_", "__setitem__", "__set__", "_has_compatible_shallow_copy_type",
}  # fmt: skip
_READS_ON_THE_CPU = {"numpy", "__array__"}
_DEVICES = ("cpu", "cuda")


class CardGenerator(torch.Generator):
    """Remembers which device it was made for."""

    made_for: torch.device

    def __new__(cls, device: Any = "cpu") -> CardGenerator:
        generator = super().__new__(cls, "cpu")
        generator.made_for = torch.device(device)
        return generator


def _is_there(tensor: Tensor) -> bool:
    return "_there" in tensor.__dict__


def _mark(tensor: Tensor, there: bool) -> None:
    if there and not tensor.is_meta:
        tensor.__dict__["_there"] = True
    else:
        tensor.__dict__.pop("_there", None)


class _Card(TorchFunctionMode):
    """Sees every call of torch's Python interface, forward and backward."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name == "__get__":
            return _attribute(function, args)
        if function is torch.device or name == "_parse_to":  # a name, no place yet
            return function(*args, **kwargs)
        tensors = _tensors(args) + _tensors(kwargs.values())
        if name == "__set__" and len(tensors) == 2 and _attribute_name(function) == "data":
            function(*args)
            return _mark(tensors[0], _is_there(tensors[1]))
        if name == "__reduce_ex__":  # in a file a tensor is on no card
            return _reduced(function, args)
        named = _named_device(name, args, kwargs)
        if named is None and "generator" not in kwargs and not any(map(_is_there, tensors)):
            return function(*args, **kwargs)  # nothing of it is on the card
        if name == "to" and named is None and len(tensors) > 1:
            named = CUDA if _is_there(tensors[1]) else CPU
        target = any(map(_is_there, tensors)) if named is None else named.type == "cuda"
        _refuse(name, tensors, kwargs.get("generator"), target)
        if named is not None and named.type == "cuda":
            args = tuple(map(_on_cpu, args))
            kwargs = {key: _on_cpu(value) for key, value in kwargs.items()}
        return _placed(function(*args, **kwargs), tensors, target)


def _tensors(values: Any) -> list[Tensor]:
    found = []
    for value in values:
        kind = type(value)
        if kind in (tuple, list):
            found += _tensors(value)
        elif _is_tensor(kind):
            found.append(value)
    return found


@functools.cache  # torch's `isinstance` is slow, and asked of every argument of every call
def _is_tensor(kind: type) -> bool:
    return Tensor in kind.__mro__


def _attribute(function: Any, args: tuple[Any, ...]) -> Any:
    owner, value = args[0], function(*args)
    if _is_tensor(type(owner)) and _is_there(owner):
        if isinstance(value, torch.device):
            return CUDA
        return _placed(value, [], True)
    return value


def _reduced(function: Any, args: tuple[Any, ...]) -> Any:
    there = _is_there(args[0])
    _mark(args[0], False)
    try:
        return function(*args)
    finally:
        _mark(args[0], there)


def _refuse(name: str, tensors: list[Tensor], generator: Any, target: bool) -> None:
    if isinstance(generator, torch.Generator):
        found, wanted = getattr(generator, "made_for", CPU).type, _DEVICES[target]
        if found != wanted:
            raise RuntimeError(
                f"Expected a '{wanted}' device type for generator but found '{found}'"
            )
    there = [_is_there(tensor) for tensor in tensors]
    if not any(there) or name in _MOVES or name in _MAY_MIX:
        return
    if name in _READS_ON_THE_CPU:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")
    if name == "__getitem__" and there[0]:
        return  # an index may lie on the CPU
    # A single number may lie on the CPU.
    elsewhere = [t for t, on in zip(tensors, there, strict=True) if not on and t.dim() > 0]
    if any(not tensor.is_meta for tensor in elsewhere):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! (when calling {name})"
        )


def _placed(result: Any, given: list[Tensor], there: bool) -> Any:
    """Mark what a call returned; what it moved is memory of its own."""
    if _is_tensor(type(result)):
        if _is_there(result) != there:
            if any(result is tensor for tensor in given):
                result = result.clone()
            _mark(result, there)
    elif type(result) in (tuple, list):
        return type(result)(_placed(each, given, there) for each in result)
    elif isinstance(result, tuple):  # torch.return_types: .values, .indices
        for each in result:
            _placed(each, given, there)
    return result


def _attribute_name(function: Any) -> str:
    return str(getattr(getattr(function, "__self__", None), "__name__", ""))


def _named_device(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    """Return the device a call asks for, if it does."""
    if name in ("cpu", "cuda"):
        return torch.device(name)
    places = args[1:2] if name == "to" else ()
    for each in (kwargs.get("device"), *places):
        if isinstance(each, torch.device | str):
            return torch.device(each)
    return None


def _on_cpu(value: Any) -> Any:
    named = value if isinstance(value, str) else getattr(value, "type", "")
    return CPU if named in ("cuda", "cuda:0") else value


@contextmanager
def pretend_gpu(
    *, free_gib: float = 100, total_gib: float = 140, bf16: bool = True
) -> Iterator[None]:
    """Have a GPU meanwhile: trainer, sampler and worker take it."""
    PartialState()
    shared = PartialState._shared_state
    before = shared["device"]
    AcceleratorState._reset_state()
    shared["device"] = CUDA
    memory = (int(free_gib * 2**30), int(total_gib * 2**30))
    card = {
        "is_available": lambda: True,
        "mem_get_info": lambda device=None: memory,
        "get_device_name": lambda device=None: "Pretended GPU",
        "get_device_properties": lambda device=None: SimpleNamespace(total_memory=memory[1]),
        "is_bf16_supported": lambda including_emulation=True: bf16 or including_emulation,
        "max_memory_allocated": lambda device=None: 0,
        "memory_reserved": lambda device=None: 0,
        "synchronize": lambda device=None: None,
    }
    with ExitStack() as stack:
        for name, answer in card.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        stack.enter_context(mock.patch.object(torch, "Generator", CardGenerator))
        stack.enter_context(_Card())
        try:
            yield
        finally:
            AcceleratorState._reset_state()
            shared["device"] = before
