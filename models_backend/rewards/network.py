"""Trunk and heads of a reward model, before it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models_backend.nn.text import TextEncoder
from models_backend.rewards.backbones import Backbone
from models_backend.rewards.features import FixedFeatures

_SMALLEST_SPREAD = 1e-4


class RewardNetwork(nn.Module):
    """Images and prompts to one number for each aspect.

    `text` reads prompts where the trunk cannot; it is never trained and kept outside the module.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        trunk: FixedFeatures | Backbone,
        aspects: int,
        *,
        hidden: int,
        dropout: float,
        text: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self._text = [text]  # in a list, lest it counts as a part
        self.width = trunk.width + (text.width if text is not None else 0)
        self.register_buffer("shift", torch.zeros(self.width))
        self.register_buffer("scale", torch.ones(self.width))
        if hidden:
            self.head: nn.Module = nn.Sequential(
                nn.Linear(self.width, hidden), nn.GELU(), nn.Dropout(dropout),
                nn.Linear(hidden, aspects),
            )  # fmt: skip
        else:
            self.head = nn.Linear(self.width, aspects, bias=False)

    @property
    def text(self) -> TextEncoder | None:
        return self._text[0]

    def features(self, x: Tensor, prompts: Sequence[str]) -> Tensor:
        """Return what the head sees, (B, width), of images (B, 3, H, W) in [-1, 1]."""
        found = self.trunk(x, prompts)
        if self.text is None:
            return found
        pooled = self.text.encode(prompts).pooled.to(found)
        return torch.cat([found, pooled], dim=1)

    def standardise(self, features: Tensor) -> None:
        """Take mean and spread of features (N, width); what does not vary is left out of sight."""
        spread = features.std(dim=0)
        self.shift.copy_(features.mean(dim=0))
        self.scale.copy_(torch.where(spread < _SMALLEST_SPREAD, torch.inf, spread))

    def of_features(self, features: Tensor) -> Tensor:
        """Return raw rewards (B, aspects)."""
        raw: Tensor = self.head((features - self.shift) / self.scale)
        return raw

    def forward(self, x: Tensor, prompts: Sequence[str]) -> Tensor:
        """Return raw rewards (B, aspects)."""
        return self.of_features(self.features(x, prompts))
