"""The files that say what an export's rows are."""

from __future__ import annotations

import json
from typing import Any

from evalplatform.core.files import write_whole
from evalplatform.exports.documents.card import card, dictionary
from evalplatform.exports.documents.croissant import croissant
from evalplatform.exports.documents.zenodo import zenodo
from evalplatform.exports.shapes import Shape
from evalplatform.exports.told import Told


def write_documents(told: Told, shape: Shape) -> None:
    """Write card, dictionary, Croissant, Zenodo metadata and the protocol."""
    write_whole(told.folder / "README.md", card(told, shape))
    write_whole(told.folder / "DATA_DICTIONARY.md", dictionary(told, shape))
    write_whole(told.folder / "croissant.json", _pretty(croissant(told, shape)))
    write_whole(told.folder / ".zenodo.json", _pretty(zenodo(told)))
    write_protocol(told)


def write_protocol(told: Told) -> None:
    """Write the protocol so that the file's SHA-256 is the protocol's; a blind export has none."""
    if told.options.is_blind:
        return
    canonical = json.dumps(
        told.campaign.protocol, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    write_whole(told.folder / "protocol.json", canonical)


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
