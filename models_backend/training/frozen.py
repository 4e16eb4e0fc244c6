"""The weights a module had before training, lent to it again: what a tuned model is held against.

Of an adapter only its own weights are kept. It begins by changing nothing, so that they stand for
the network without it, and a base of gigabytes is not held twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from models_backend.training.learned import learned_parameters


class FrozenWeights:
    """A copy of what a module learns, as it is now; make it before the first step."""

    def __init__(self, module: nn.Module) -> None:
        self._live = list(learned_parameters(module).values())
        self._kept = [p.detach().clone() for p in self._live]

    @contextmanager
    def in_module(self) -> Iterator[None]:
        """Lend them: nothing is copied, and no gradient is kept inside."""
        live = [p.data for p in self._live]
        for p, kept in zip(self._live, self._kept, strict=True):
            p.data = kept
        try:
            with torch.no_grad():
                yield
        finally:
            for p, own in zip(self._live, live, strict=True):
                p.data = own
