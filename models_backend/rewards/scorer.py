"""Scoring stored images by a reward: what a worker of the site keeps loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from models_backend.data.pictures import decode, fit
from models_backend.rewards.model import RewardModel


class RewardScorer:
    """A reward on the device there is, and images as it takes them: as in its evaluation."""

    def __init__(self, folder: Path) -> None:
        """Load a reward.

        Raises:
            CheckpointError: none, changed, of another format, or without calibration.
        """
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.reward = RewardModel.load(folder).to(device)
        trunk = self.reward.network.trunk
        self._side = int(getattr(trunk, "size", 0) or trunk.told["size"])  # type: ignore[index]

    def score(
        self, files: Sequence[bytes], prompts: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, float]]:
        """Return raw rewards by aspect of image files, each of one prompt; `names` for errors.

        Raises:
            InputError: an image that cannot be read, or whose reward is not finite.
        """
        size = (self._side, self._side)
        decoded = [fit(decode(file, name), size) for file, name in zip(files, names, strict=True)]
        pictures = torch.from_numpy(np.stack(decoded))
        raw = self.reward.scores(pictures, prompts, names).double().tolist()
        return [dict(zip(self.reward.aspects, row, strict=True)) for row in raw]
