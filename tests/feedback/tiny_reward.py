"""A reward of fixed features with a head that was never trained."""

from pathlib import Path

import torch

from models_backend.rewards.features import FixedFeatures
from models_backend.rewards.model import Calibration, RewardModel
from models_backend.rewards.network import RewardNetwork


def save_reward(path: Path, aspect: str) -> None:
    """Write it as a folder."""
    network = RewardNetwork(FixedFeatures(16), 1, hidden=0, dropout=0.0)
    torch.manual_seed(0)
    torch.nn.init.normal_(network.head.weight)
    made = RewardModel(network, [aspect], Calibration((0.0,), (1.0,), (2.0,), 8))
    data = {
        "preferences_sha256": "a" * 64, "campaign": "elsewhere", "protocol_sha256": "c" * 64,
        "licence": "CC0-1.0", "sources": {"human": 9}, "simulated": False, "pairs": 9,
    }  # fmt: skip
    validation = {aspect: {"pairs": 2, "accuracy": 0.5}}
    told = {"name": "tiny", "config": {}, "code_version": "0", "data": data}
    made.save(path, told | {"validation": validation})
