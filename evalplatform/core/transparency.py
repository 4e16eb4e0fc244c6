"""Transparent images: how they are told, and what they lie on where they must be opaque."""

from enum import StrEnum

import numpy as np
from PIL import Image

GREY, WHITE = (128, 128, 128), (255, 255, 255)
_LIGHT, _LESS_LIGHT = 255, 208  # of the checker, as drawing programs have it
_SQUARES = 16  # along the shorter side of an image


class Ground(StrEnum):
    """What is seen through a transparent image."""

    GREY = "grey"  # neutral
    WHITE = "white"
    CHECKER = "checker"  # squares of white and light grey, which say that it is transparent


def has_alpha(image: Image.Image) -> bool:
    """Return whether an image may be transparent somewhere."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def on_ground(image: Image.Image, ground: Ground) -> Image.Image:
    """Return an image as 8-bit RGB, what is transparent lying on a ground."""
    if not has_alpha(image):
        return image.convert("RGB")
    layer = image.convert("RGBA")
    below = _below(layer.size, ground)
    below.paste(layer, mask=layer.getchannel("A"))
    return below


def _below(size: tuple[int, int], ground: Ground) -> Image.Image:
    if ground is not Ground.CHECKER:
        return Image.new("RGB", size, GREY if ground is Ground.GREY else WHITE)
    side = max(1, min(size) // _SQUARES)
    rows, columns = np.arange(size[1]) // side, np.arange(size[0]) // side
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    grey = np.where(odd, _LESS_LIGHT, _LIGHT).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
