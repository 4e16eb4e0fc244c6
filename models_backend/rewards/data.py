"""A preference set as tensors: each image once, pairs as rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models_backend.data.pictures import decode, fit
from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair


@dataclass(frozen=True, eq=False)
class ShownImages:
    """Images of a set, each under each prompt it was judged for."""

    keys: list[tuple[str, str]]
    """Of each row prompt and hash."""
    pictures: Tensor
    """(N, 3, S, S), bytes."""

    @classmethod
    def of(cls, found: PreferenceSet, pairs: Sequence[PreferencePair], size: int) -> ShownImages:
        """Read the images of these pairs, scaled to cover `size` and cut to a square.

        Raises:
            InputError: an image is missing or was changed.
        """
        keys = list(dict.fromkeys((pair.prompt, uid) for pair in pairs for uid in pair.images))
        read = {
            uid: fit(decode(found.images.bytes_of(uid), uid), (size, size))
            for uid in dict.fromkeys(uid for _, uid in keys)
        }
        stacked = np.stack([read[uid] for _, uid in keys])
        return cls(keys, torch.from_numpy(stacked))

    @property
    def prompts(self) -> list[str]:
        return [prompt for prompt, _ in self.keys]

    @property
    def names(self) -> list[str]:
        return [uid for _, uid in self.keys]

    def rows(self, pairs: Sequence[PreferencePair]) -> Tensor:
        """Return (P, 2): the rows of each pair's two images."""
        place = {key: row for row, key in enumerate(self.keys)}
        found = [[place[pair.prompt, uid] for uid in pair.images] for pair in pairs]
        return torch.tensor(found, dtype=torch.long).view(-1, 2)
