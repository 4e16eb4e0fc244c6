"""Small models with random weights, each made in a process of its own.

Torch stays out of the test process: what runs here must not load it.
"""

import json
from pathlib import Path
from typing import Any

from tests import warm

TINY = {
    "text": 32, "latent": 16, "unet": [32, 32], "layers": 1, "heads": 4, "vae": [16, 16],
    "half": False,
}  # fmt: skip


def save_tiny_pipeline(folder: Path, seed: int, shape: dict[str, Any] = TINY) -> Path:
    """Write a pipeline that makes 32 x 32 noise-like images; another seed, other weights."""
    process = warm.start("tests.generation.tiny_writer", folder, seed, json.dumps(shape))
    assert process.wait() == 0
    return folder


def save_tiny_transparent(folder: Path) -> Path:
    """Write a latent diffusion model that makes 32 x 32 RGBA images."""
    assert warm.start("tests.generation.transparent_writer", folder).wait() == 0
    return folder
