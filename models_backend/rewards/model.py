"""A reward model with its calibration: scored, saved, loaded.

Folder: `model.safetensors`, `reward.json` (format `t2i-reward/1`: architecture, calibration,
lineage, hash), `README.md`, and `tokenizer/` where the trunk reads prompts itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from models_backend.errors import CheckpointError, InputError
from models_backend.files import (
    sha256_of_bytes,
    sha256_of_file,
    write_bytes_atomically,
    write_json_atomically,
)
from models_backend.nn.pixels import to_unit_range
from models_backend.nn.text import TextEncoder
from models_backend.rewards.backbones import Backbone
from models_backend.rewards.card import reward_card
from models_backend.rewards.features import FixedFeatures
from models_backend.rewards.mark import FORMAT, MARK, read_reward
from models_backend.rewards.network import RewardNetwork

WEIGHTS, CARD, TOKENIZER = "model.safetensors", "README.md", "tokenizer"
_AT_ONCE = 64


@dataclass(frozen=True)
class Calibration:
    """What makes rewards of different models comparable, by aspect."""

    mean: tuple[float, ...]
    """Of raw rewards on the reference images."""
    sd: tuple[float, ...]
    temperature: tuple[float, ...]
    """By what a difference of raw rewards is divided so that its sigmoid is a probability."""
    images: int
    """How many reference images there were."""


class RewardModel:
    """Says how much people would prefer an image of a prompt, by aspect."""

    def __init__(
        self,
        network: RewardNetwork,
        aspects: Sequence[str],
        calibration: Calibration,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.aspects = tuple(aspects)
        self.calibration = calibration
        self.metadata = metadata or {}
        self.network.requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        return self.network.shift.device

    @property
    def sha256(self) -> str:
        """Hash of its weights; empty until it was saved or loaded."""
        return str(self.metadata.get("weights_sha256", ""))

    def to(self, device: torch.device | str) -> RewardModel:
        self.network.to(device)
        return self

    def raw(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """Return raw rewards (B, A) of images (B, 3, H, W) in [-1, 1], with a gradient.

        Raises:
            InputError: another number of prompts.
        """
        if len(prompts) != len(images):
            raise InputError(f"{len(images)} images and {len(prompts)} prompts: give one each")
        rewards: Tensor = self.network(images, prompts)
        return rewards

    def calibrated(self, raw: Tensor) -> Tensor:
        """Return raw rewards (..., A) in standard deviations of the reference images."""
        mean, sd = (raw.new_tensor(v) for v in (self.calibration.mean, self.calibration.sd))
        return (raw - mean) / sd

    def probability(self, first: Tensor, second: Tensor) -> Tensor:
        """Return how likely the first of two is preferred, (..., A), for raw rewards."""
        return torch.sigmoid((first - second) / first.new_tensor(self.calibration.temperature))

    @torch.no_grad()
    def scores(self, pictures: Tensor, prompts: Sequence[str], names: Sequence[str] = ()) -> Tensor:
        """Return raw rewards (N, A), on the CPU, of bytes (N, 3, H, W); `names` for an error.

        Raises:
            InputError: a reward that is not finite, with the images' names.
        """
        parts = [
            self.raw(
                to_unit_range(pictures[at : at + _AT_ONCE].to(self.device)),
                prompts[at : at + _AT_ONCE],
            ).cpu()
            for at in range(0, len(pictures), _AT_ONCE)
        ]
        found = torch.cat(parts)
        refuse_not_finite(found, names or [f"number {n}" for n in range(len(found))])
        return found

    # -- files ------------------------------------------------------------------------------------

    def save(self, folder: Path, metadata: dict[str, Any]) -> None:
        """Write weights, description, card; `reward.json` last. Floats are in single precision."""
        state = {n: v.detach().cpu().contiguous() for n, v in self.network.state_dict().items()}
        weights = save(state)
        write_bytes_atomically(folder / WEIGHTS, weights)
        if isinstance(self.network.trunk, Backbone) and self.network.trunk.tokenizer is not None:
            self.network.trunk.tokenizer.save_pretrained(folder / TOKENIZER)
        self.metadata = {
            "format": FORMAT,
            **metadata,
            "aspects": list(self.aspects),
            "architecture": _architecture(self.network),
            "calibration": dataclasses.asdict(self.calibration),
            "weights_sha256": sha256_of_bytes(weights),
        }
        write_bytes_atomically(folder / CARD, reward_card(self.metadata).encode())
        write_json_atomically(folder / MARK, self.metadata)

    @classmethod
    def load(cls, folder: Path) -> RewardModel:
        """Read a reward model, on the CPU.

        Raises:
            CheckpointError: none, changed, of another format, or without calibration.
        """
        metadata = read_reward(folder)
        network = _network(metadata, folder)
        path = folder / WEIGHTS
        if not path.is_file() or sha256_of_file(path) != metadata["weights_sha256"]:
            raise CheckpointError(f"{path} is missing or was changed; get the reward again")
        try:
            network.load_state_dict(load_file(path))
        except (RuntimeError, SafetensorError) as error:
            raise CheckpointError(f"{path} does not fit {MARK} ({str(error)[:160]})") from None
        told: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in metadata["calibration"].items()
        }
        return cls(network, metadata["aspects"], Calibration(**told), metadata)


def refuse_not_finite(rewards: Tensor, names: Sequence[str]) -> None:
    """Raise `InputError` with the names of images whose rewards (N, A) are NaN or infinite."""
    bad = (~torch.isfinite(rewards).all(dim=1)).nonzero().flatten().tolist()
    if bad:
        shown = ", ".join(str(names[at]) for at in bad[:5])
        raise InputError(f"the reward of {len(bad)} images is not finite ({shown}); look at them")


def _architecture(network: RewardNetwork) -> dict[str, Any]:
    trunk = network.trunk
    head = network.head
    linear = isinstance(head, torch.nn.Linear)
    described: dict[str, Any] = {
        "hidden": 0 if linear else head[0].out_features,  # type: ignore[index]
        "dropout": 0.0 if linear else head[2].p,  # type: ignore[index]
        "text": network.text.to_dict() if network.text is not None else None,
    }
    if isinstance(trunk, FixedFeatures):
        return described | {"features": "fixed", "image_size": trunk.size}
    return described | {
        "features": trunk.kind,
        "backbone": trunk.network.config.to_dict(),
        "told": trunk.told,
    }


def _network(metadata: dict[str, Any], folder: Path) -> RewardNetwork:
    built = metadata["architecture"]
    trunk: FixedFeatures | Backbone
    if built["features"] == "fixed":
        trunk = FixedFeatures(built["image_size"])
    else:
        trunk = Backbone.from_config(built["backbone"], built["told"], folder / TOKENIZER)
    text = TextEncoder.from_dict(built["text"]) if built["text"] else None
    return RewardNetwork(
        trunk, len(metadata["aspects"]), hidden=built["hidden"], dropout=built["dropout"], text=text
    )
