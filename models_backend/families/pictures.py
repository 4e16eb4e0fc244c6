"""Pixels of a decoded batch as pictures."""

from __future__ import annotations

from PIL import Image
from torch import Tensor


def to_pictures(pixels: Tensor) -> list[Image.Image]:
    """Return pixels (B, 3, H, W) in [-1, 1] as 8-bit RGB pictures; of four channels as RGBA.

    What is clear is white below, for programs that pass over alpha.
    """
    values = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte()
    if values.shape[1] == 4:
        values[:, :3] = values[:, :3].masked_fill(values[:, 3:] == 0, 255)
    return [Image.fromarray(each) for each in values.permute(0, 2, 3, 1).cpu().numpy()]
