"""Makes a control of a set: the same images and pairs, preferred by a reward drawn at random.

What is tuned on it in the same way shows what tuning does by itself, when nothing is there to
learn. The reward belongs to the image, so that a prompt's pairs contradict each other as little as
people's.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from models_backend.preferences.reading import PreferenceSet
from models_backend.preferences.records import PreferencePair
from models_backend.preferences.writing import Provenance, begin_set, write_set


def randomise_set(found: PreferenceSet, out: Path, *, seed: int = 0) -> dict[str, Any]:
    """Write the set with all votes on the image of the higher random reward; return its mark.

    Rankings are left out, and every pair is marked simulated. Raises `InputError` where `out` is
    taken.
    """
    store = begin_set(out)
    for uid in sorted({uid for pair in found.pairs for uid in pair.images}):
        store.add(found.images.bytes_of(uid), uid)
    return write_set(
        out,
        pairs=[_randomised(each, seed) for each in found.pairs],
        rankings=[],
        provenance=Provenance(
            campaign=found.mark["campaign"],
            protocol_sha256=found.mark["protocol_sha256"],
            licence=found.mark["licence"],
            origin=f"randomised, seed {seed}: {found.sha256}",
        ),
        allow_simulated=True,
    )


def _randomised(pair: PreferencePair, seed: int) -> PreferencePair:
    first, second = (_reward(pair, image, seed) for image in pair.images)
    votes = (pair.total, 0) if first > second else (0, pair.total)
    return replace(pair, votes=votes, ties=0, source="simulated", weight=1.0)


def _reward(pair: PreferencePair, image: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {pair.sha256} {pair.aspect} {image}".encode()).digest()
