"""Which columns an export has."""

from __future__ import annotations

from collections.abc import Callable

from evalplatform.exports.options import Options
from evalplatform.exports.shapes import peers
from evalplatform.exports.shapes.base import Shape
from evalplatform.exports.shapes.raw import raw_shape

_SHAPES: dict[str, Callable[[Options], Shape]] = {
    "parquet": raw_shape,
    "csv": raw_shape,
    "jsonl": raw_shape,
    "pickapic": peers.pickapic,
    "hpdv2": peers.hpdv2,
    "hpdv3": peers.hpdv3,
    "open-image-preferences": peers.open_image_preferences,
    "trl": peers.trl,
    "trl-unpaired": peers.trl_unpaired,
    "rapidata": peers.rapidata,
    "arena": peers.arena,
}


def shape_of(options: Options) -> Shape:
    """Return the columns of an export that has rows."""
    return _SHAPES[options.kind](options)
