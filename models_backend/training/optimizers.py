"""The optimisers of the training loop, and how bfloat16 weights take steps smaller than they hold.

Adafactor is torch's. bfloat16 has eight bits: a step of a thousandth of a weight would be rounded
away each time. Steps are therefore taken in single precision, a parameter at a time, and rounded
up or down by chance, so that the mean is right ("stochastic rounding", Gupta et al. 2015).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from models_backend.configuration.loops import LoopConfig
from models_backend.errors import InputError

_LOW_HALF = 0xFFFF
_BY_COMMAND = "`python -m pip install --no-deps -r requirements-training.txt` does it."


def optimizer_of(
    parameters: list[nn.Parameter], config: LoopConfig, device: torch.device, stage: str
) -> torch.optim.Optimizer:
    """Return the optimiser of a loop.

    Raises:
        InputError: another than AdamW on sharded weights, AdamW on bfloat16 weights, or the
            package of 8-bit AdamW is missing.
    """
    is_half = any(p.dtype == torch.bfloat16 for p in parameters)
    if any(isinstance(p, DTensor) for p in parameters) and config.optimizer != "adamw":
        raise InputError(
            f"{stage}: optimizer {config.optimizer} does not work with FSDP; take adamw"
        )
    if config.optimizer != "adafactor":
        if is_half:
            raise InputError(
                f'{stage}: weights in bf16 are tuned whole with optimizer = "adafactor", whose '
                'steps are rounded by chance; set it, or weights = "float32", or add [lora]'
            )
        if config.optimizer == "adamw8bit":
            return _adamw8bit(parameters, config, stage)
        return _adamw(parameters, config, device)
    kind = RoundedAdafactor if is_half else torch.optim.Adafactor
    return kind(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def _adamw(
    parameters: list[nn.Parameter], config: LoopConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW in one kernel where the device has one (`fused`), else in a few (`foreach`)."""
    one_kernel = device.type in ("cpu", "cuda", "xpu")
    return torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=one_kernel,
        foreach=not one_kernel,
    )


def _adamw8bit(
    parameters: list[nn.Parameter], config: LoopConfig, stage: str
) -> torch.optim.Optimizer:
    """AdamW whose moments take a byte each; those of tensors under 4,096 numbers stay whole."""
    try:
        optim = import_module("bitsandbytes").optim
    except ImportError:
        raise InputError(
            f"{stage}: optimizer adamw8bit needs bitsandbytes, which is not installed here; "
            "install requirements-training.txt, or take adafactor",
            by_command=_BY_COMMAND,
        ) from None
    optimizer: torch.optim.Optimizer = optim.AdamW8bit(
        parameters,
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
    )
    return optimizer


class RoundedAdafactor(torch.optim.Adafactor):
    """Adafactor on bfloat16 weights; beside them one parameter at a time is held in float32."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; the rounding of a parameter depends on its place and step alone."""
        groups = self.param_groups
        try:
            for group in groups:
                for place, parameter in enumerate(group["params"]):
                    if parameter.grad is None:
                        continue
                    self.param_groups = [{**group, "params": [parameter]}]
                    self._step_one(parameter, place)
        finally:
            self.param_groups = groups

    def _step_one(self, parameter: nn.Parameter, place: int) -> None:
        stored = parameter.dtype
        gradient = parameter.grad
        assert gradient is not None
        parameter.grad = None
        parameter.data = parameter.data.float()
        parameter.grad = gradient.float()
        super().step()
        parameter.grad = None
        step = int(self.state[parameter]["step"])
        generator = torch.Generator(parameter.device).manual_seed(step * 1_000_003 + place)
        rounded = parameter.data
        parameter.data = (
            rounded_by_chance(rounded, generator) if stored != rounded.dtype else rounded
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state as it is: torch's would round it to the weights' precision."""
        super().load_state_dict(state_dict)
        for number, parameter in enumerate(self._parameters()):
            for name, value in state_dict["state"].get(number, {}).items():
                self.state[parameter][name] = value.to(self.state[parameter][name].device)

    def _parameters(self) -> Iterable[nn.Parameter]:
        return (parameter for group in self.param_groups for parameter in group["params"])


def rounded_by_chance(values: Tensor, generator: torch.Generator) -> Tensor:
    """Return float32 values as one of the two bfloat16 beside each, nearer ones more often."""
    noise = torch.empty(values.shape, dtype=torch.int32, device=values.device)
    noise.random_(0, _LOW_HALF + 1, generator=generator)
    bits = (values.contiguous().view(torch.int32) + noise) & ~_LOW_HALF
    return bits.view(torch.float32).to(torch.bfloat16)
