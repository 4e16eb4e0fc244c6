"""What a study's models draw of its captions: made once, then kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models_backend.checkpoints.loading import load_pipeline
from models_backend.families.settings import SamplingSettings
from models_backend.files import write_bytes_atomically
from models_backend.sampling.generate import generate

_BATCH = 16


def samples_of(
    checkpoint: Path,
    captions: Sequence[str],
    *,
    each: int,
    steps: int,
    seed: int,
    path: Path,
) -> Tensor:
    """Return (captions * each, 3, H, W) bytes, kept at `path`; seeds are the same for every model.

    The images of a caption follow each other.
    """
    if not path.exists():
        model = load_pipeline(checkpoint)
        jobs = [
            (caption, seed + number * each + repeat)
            for number, caption in enumerate(captions)
            for repeat in range(each)
        ]
        settings = SamplingSettings(sampler="default", steps=steps)
        images = []
        for start in tqdm(range(0, len(jobs), _BATCH), desc=f"{path.stem:14}", unit="batch"):
            prompts, seeds = zip(*jobs[start : start + _BATCH], strict=True)
            images += generate(model, prompts=prompts, seeds=seeds, settings=settings)
        buffer = io.BytesIO()
        np.save(buffer, np.stack([np.asarray(image) for image in images]))
        write_bytes_atomically(path, buffer.getvalue())
    return torch.from_numpy(np.load(path)).permute(0, 3, 1, 2).contiguous()
