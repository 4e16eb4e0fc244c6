"""The exponential moving average of a module's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from models_backend.training.sharding import like, own, whole


class Average:
    """The average of a module's parameters; begins with the weights after the first step.

    With `decay` 0 it holds nothing, and the last weights are the result.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._steps = 0
        self._names = [name for name, _ in module.named_parameters()]
        self._live = list(module.parameters())
        self._mean = [p.detach().clone() for p in self._live] if decay else []

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the module's weights."""
        if not self.decay:
            return
        mean, live = [own(m) for m in self._mean], [own(p.detach()) for p in self._live]
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
