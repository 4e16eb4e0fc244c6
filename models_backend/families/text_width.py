"""How wide the text is that a checkpoint's configuration records, without its encoders at hand."""

from __future__ import annotations

from typing import Any

from models_backend.nn.text import TextEncoder


def text_width(text: dict[str, Any]) -> tuple[int, int]:
    """Return how many channels a token has, and how many encoders give them.

    Raises:
        CheckpointError: nothing is recorded, and an encoder is not found on this machine.
    """
    recorded = text["encoders"]
    if all("width" in entry for entry in recorded):
        return sum(int(entry["width"]) for entry in recorded), len(recorded)
    encoder = TextEncoder.from_dict(text)
    return encoder.width, len(encoder.parts)
