"""A preference set of plain drawings whose true utility is known."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from models_backend.preferences.importing import gather
from models_backend.preferences.records import PreferenceRanking, ranks_of_grades
from models_backend.preferences.writing import Provenance, begin_set, write_set

SIZE = 16
NOISE = 0.15


def picture(rng: np.random.Generator, utility: float) -> bytes:
    """Return a PNG whose colourfulness is its utility, 0 to 1, beside much that is not."""
    grey = rng.integers(60, 190)
    colour = np.array([1.0, -0.5, -0.5])[rng.permutation(3)] * 60 * utility
    pixels = grey + colour + rng.integers(-25, 25, (SIZE, SIZE, 1))
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    folder: Path,
    *,
    prompts: int = 60,
    images: int = 4,
    people: int = 3,
    noise: float = NOISE,
    aspects: tuple[str, ...] = ("appeal",),
    seed: int = 0,
    first: int = 0,
) -> Path:
    """Write a simulated set: each person ranks a prompt's images by utility and own noise.

    Prompts are told apart by their numbers, from `first`.
    """
    rng = np.random.default_rng(seed)
    store = begin_set(folder)
    rankings = []
    for number in range(first, first + prompts):
        utility = rng.random(images)
        uids = tuple(store.add(picture(rng, each), "drawing") for each in utility)
        for aspect in aspects:
            for person in range(1, people + 1):
                seen = np.round(utility + noise * rng.standard_normal(images), 1)
                rankings.append(
                    PreferenceRanking(
                        ranking_id=len(rankings) + 1,
                        prompt=f"a drawing of thing {number}",
                        aspect=aspect,
                        images=uids,
                        ranks=ranks_of_grades(list(seen)),
                        models=tuple("abcdefghijkl"[:images]),
                        user_id=person,
                        source="simulated",
                    )
                )
    pairs, kept = gather(rankings)
    write_set(folder, pairs=pairs, rankings=kept, provenance=Provenance(origin="simulated"))
    return folder
