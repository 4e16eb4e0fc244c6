"""The exponential moving average of the weights of a module that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models_backend.training.learned import learned_parameters
from models_backend.training.sharding import like, own, whole


class Average:
    """The average of what a module learns, in single precision; begins after the first step.

    With `decay` 0 it holds nothing, and the last weights are the result.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._steps = 0
        learned = learned_parameters(module)
        self._names, self._live = list(learned), list(learned.values())
        self._mean = [_single(p.detach()).clone() for p in self._live] if decay else []

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the module's weights."""
        if not self.decay:
            return
        mean = [own(m) for m in self._mean]
        live = [_single(own(p.detach())) for p in self._live]
        if self._steps:
            torch._foreach_lerp_(mean, live, 1 - self.decay)
        else:
            torch._foreach_copy_(mean, live)
        self._steps += 1

    @torch.no_grad()
    def copy_to_module(self) -> None:
        """Leave the averaged weights in the module."""
        for p, mean in zip(self._live, self._mean, strict=bool(self._mean)):
            own(p.detach()).copy_(own(mean))

    @contextmanager
    def in_module(self) -> Iterator[None]:
        """Lend the module the averaged weights, to sample or to save them."""
        kept = [p.detach().clone() for p in self._live] if self.decay else []
        self.copy_to_module()
        try:
            yield
        finally:
            with torch.no_grad():
                for p, old in zip(self._live, kept, strict=bool(kept)):
                    own(p.detach()).copy_(own(old))

    def state_dict(self) -> dict[str, Any]:
        """Return whole tensors by name; every process must call this."""
        means = [whole(mean) for mean in self._mean]
        return {"steps": self._steps, "mean": dict(zip(self._names, means, strict=bool(means)))}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take what `state_dict` returned."""
        self._steps = state["steps"]
        for name, mean in zip(self._names, self._mean, strict=bool(self._mean)):
            own(mean).copy_(own(like(state["mean"][name], mean)))


def _single(tensor: Tensor) -> Tensor:
    # A step of a thousandth would be lost in the rounding of bfloat16.
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
