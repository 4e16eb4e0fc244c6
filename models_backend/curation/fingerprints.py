"""What the fingerprints of near-duplicates are called, and which windows of an image have them."""

from __future__ import annotations

Box = tuple[float, float, float, float]
PRINTS = ("phash", "gradient", "colours")
WINDOWS: dict[str, Box] = {
    "inner_96": (0.02, 0.02, 0.98, 0.98), "inner_88": (0.06, 0.06, 0.94, 0.94),
    "top_left": (0.0, 0.0, 0.92, 0.92), "top_right": (0.08, 0.0, 1.0, 0.92),
    "bottom_left": (0.0, 0.08, 0.92, 1.0), "bottom_right": (0.08, 0.08, 1.0, 1.0),
}  # fmt: skip
"""Parts of an image, left, top, right, bottom, as shares of its sides."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def columns_of(window: str = "") -> tuple[str, ...]:
    """Return the measures of a window, or of the whole image, in the order of `PRINTS`."""
    return tuple(f"{window}_{each}" if window else each for each in PRINTS)


COLUMNS = tuple(name for window in ("", *WINDOWS) for name in columns_of(window))
