"""Images for prompts and seeds, all at once."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from models_backend.errors import InputError
from models_backend.families.base import Family
from models_backend.families.settings import SamplingSettings


def check_request(prompts: Sequence[str], seeds: Sequence[int]) -> None:
    """Check what `Family.denoise` takes for granted.

    Raises:
        InputError: as many seeds as prompts are needed, at least one, each of 64 bits.
    """
    if len(prompts) != len(seeds) or not prompts:
        raise InputError(f"{len(prompts)} prompts and {len(seeds)} seeds: give a seed per prompt")
    for seed in seeds:
        if not -(2**63) <= seed < 2**64:
            raise InputError(f"seed {seed}: accepted are integers of 64 bits")


def generate(
    pipeline: Family, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingSettings
) -> list[Image.Image]:
    """Return one RGB image for each (prompt, seed).

    An image depends on its own prompt and seed, not on what else is in the batch.

    Raises:
        InputError: see :func:`check_request`; or a setting this model cannot honour.
    """
    check_request(prompts, seeds)
    return pipeline.sample(prompts=prompts, seeds=seeds, settings=settings)
