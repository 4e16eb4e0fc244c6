"""Which split a prompt belongs to: its text decides, so that no two sets disagree about it."""

from __future__ import annotations

import re

from models_backend.files import sha256_of_bytes

SPLITS = ("train", "validation", "test")
_BOUNDS = (8_000, 9_000)
"""Ten-thousandths of the prompts' hashes at which validation and test begin: 80, 10 and 10 %."""
_SPACE = re.compile(r"\s+")


def prompt_sha256(prompt: str) -> str:
    """Return the hex SHA-256 of a prompt in lower case with single spaces, as exports hash it."""
    return sha256_of_bytes(_SPACE.sub(" ", prompt.strip()).lower().encode())


def split_of(sha256: str) -> str:
    """Return the split of a prompt with this hash: one of :data:`SPLITS`."""
    place = int(sha256[:8], 16) % 10_000
    return SPLITS[sum(place >= bound for bound in _BOUNDS)]
