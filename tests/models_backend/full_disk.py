"""Trains into a folder whose disk is full after its first state. Usage: FOLDER.

The limit on the size of a file stands for a full disk: the kernel refuses the write.
"""

import resource
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from models_backend.configuration.loops import LoopConfig
from models_backend.training.randomness import StepDraw
from models_backend.training.trainer import StepLoss, Trainer

module = nn.Linear(200, 200)


def step(draw: StepDraw) -> StepLoss:
    """Learn to tell what was given; the disk is full from step 15 on."""
    if draw.step == 15:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    x = torch.randn(4, 200, generator=draw)
    return StepLoss((module(x) - x).square().mean(dim=1), torch.arange(4), {})


loop = LoopConfig(steps=30, save_every=10)
Trainer(module=module, config=loop, seed=0, stage="square", run=Path(sys.argv[1])).fit(step)
