"""What the families that are trained here share: text encoders of ours, let go with the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from models_backend.families.base import Family
from models_backend.nn.reading import Reading
from models_backend.nn.text import TextEncoder


class TrainedFamily(Family):
    """A family of this trainer: it reads captions by `nn.text` and knows its precision."""

    text_encoder: TextEncoder
    dtype: torch.dtype = torch.float32
    """Of what is computed; `for_sampling` may lower it."""

    def readings(self, prompts: Sequence[str]) -> list[Reading | None]:
        return list(self.text_encoder.readings(prompts))

    def modules(self) -> list[nn.Module]:
        return [*self.trained_modules(), *self.text_encoder.loaded]

    def unload(self) -> None:
        self.text_encoder.unload()
        super().unload()
