"""What a simulated annotator sees of an image: its look in 41 figures, and what lies where.

The look is the energy of edges and lines by scale, colour and orientation, and five figures of
colour. The filters are those that the trainer's autoencoders may be trained with (Gabor functions
of wavelength 4 at three scales, on brightness, red-green and blue-yellow). No network was trained
on anything for this: an annotator knows edges and colours, and no objects.
"""

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from evalplatform.core.transparency import Ground, on_ground

SIDE = 64
"""Every image is looked at in this size: that of the drawings a taste is learned from."""
LOOKS = 41
"""Figures of a look."""

_SCALES = 3
_ORIENTATIONS = 4
_KERNEL = 7
_WAVELENGTH, _WIDTH = 4.0, 1.8
_FLOOR = 1e-3  # keeps noise that nobody sees on a plain ground from deciding
_LUMA = np.array([0.299, 0.587, 0.114])
_OPPONENTS = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [-0.5, -0.5, 1.0]])
_OPPONENTS /= np.linalg.norm(_OPPONENTS, axis=1, keepdims=True)
_COLOUR_CELLS, _EDGE_CELLS = 8, 4  # a side
_EDGE_WEIGHT = 0.15  # brings log energies to the spread of colours


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return an image as (64, 64, 3) floats in [0, 1], on white where it is transparent."""
    rgb = on_ground(image, Ground.WHITE)
    if rgb.size != (SIDE, SIDE):
        rgb = rgb.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(rgb, dtype=np.float64) / 255


@dataclass(frozen=True, eq=False)
class Seen:
    """An image as annotators see it; what is computed of it is computed once."""

    pixels: np.ndarray  # (64, 64, 3) in [0, 1]

    @cached_property
    def look(self) -> np.ndarray:
        """(41,): see :func:`look`."""
        return look(self.pixels)

    @cached_property
    def layout(self) -> np.ndarray:
        """(F,): see :func:`layout`."""
        return layout(self.pixels)

    @cached_property
    def key(self) -> bytes:
        """The same for the same pixels, whatever the file."""
        return hashlib.sha256(self.pixels.tobytes()).digest()


def look(pixels: np.ndarray) -> np.ndarray:
    """Return the look (41,) of (64, 64, 3) pixels in [0, 1]."""
    energies = [np.log(each.mean(axis=(1, 2)) + _FLOOR).ravel() for each in _energies(pixels)]
    return np.concatenate([*energies, _colours(pixels)])


def layout(pixels: np.ndarray) -> np.ndarray:
    """Return what lies where in (64, 64, 3) pixels in [0, 1]: colours 8 x 8, edges 4 x 4."""
    parts = [_cell_means(pixels, _COLOUR_CELLS)]
    for energy in _energies(pixels)[:2]:
        by_place = np.moveaxis(energy, 0, 2).reshape(*energy.shape[1:3], -1)
        parts.append(_EDGE_WEIGHT * np.log(_cell_means(by_place, _EDGE_CELLS) + 10 * _FLOOR))
    return np.concatenate([part.ravel() for part in parts])


def colourfulness(pixels: np.ndarray) -> float:
    """Return Hasler and Süsstrunk's (2003) colourfulness of (H, W, 3) pixels in [0, 1]."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = np.hypot(rg.std(), yb.std())
    return float(spread + 0.3 * np.hypot(rg.mean(), yb.mean()))


def contrast(pixels: np.ndarray) -> float:
    """Return the standard deviation of luma (Rec. 601 weights)."""
    return float((pixels @ _LUMA).std())


def clarity(pixels: np.ndarray) -> float:
    """Return how concentrated the luma gradient is: mean square over squared mean, at least 1.

    A clean drawing has few strong edges between even areas; mottling spreads weak ones everywhere.
    """
    luma = pixels @ _LUMA
    gradient = np.hypot(np.diff(luma, axis=0)[:, :-1], np.diff(luma, axis=1)[:-1])
    return (
        float(np.mean(gradient**2) / max(np.mean(gradient) ** 2, 1e-9)) if gradient.any() else 1.0
    )


def _colours(pixels: np.ndarray) -> np.ndarray:
    floor = 0.01
    return np.array(
        [
            np.log(colourfulness(pixels) + floor),
            np.log(contrast(pixels) + floor),
            np.log(clarity(pixels)),
            (pixels @ _LUMA).mean(),
            np.ptp(pixels, axis=2).mean(),
        ]
    )


def _energies(pixels: np.ndarray) -> list[np.ndarray]:
    """Return (3, H, W, 4) energies by colour, place and orientation, a scale each."""
    image = np.einsum("oc,hwc->ohw", _OPPONENTS, 2 * pixels - 1)
    bank = _gabor_bank().reshape(-1, _KERNEL**2).T
    energies = []
    for _ in range(_SCALES):
        height, width = image.shape[1:]
        margin = _KERNEL // 2
        padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        windows = sliding_window_view(padded, (_KERNEL, _KERNEL), axis=(1, 2))
        responses = windows.reshape(3, height, width, -1) @ bank
        even, odd = np.split(responses, 2, axis=-1)
        energies.append(even**2 + odd**2)
        image = image.reshape(3, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return energies


@cache
def _gabor_bank() -> np.ndarray:
    """Return (8, 7, 7) kernels without a mean, of length 1: four cosines, then four sines."""
    axis = np.arange(_KERNEL) - (_KERNEL - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    envelope = np.exp(-(x**2 + y**2) / (2 * _WIDTH**2))
    kernels = []
    for wave in (np.cos, np.sin):
        for index in range(_ORIENTATIONS):
            angle = np.pi * index / _ORIENTATIONS
            along = x * np.cos(angle) + y * np.sin(angle)
            kernel = envelope * wave(2 * np.pi * along / _WAVELENGTH)
            kernel = kernel - envelope * (kernel.sum() / envelope.sum())
            kernels.append(kernel / np.linalg.norm(kernel))
    return np.stack(kernels)


def _cell_means(values: np.ndarray, cells: int) -> np.ndarray:
    """Return means of (H, W, C) values in a grid of `cells` a side."""
    high = values.shape[0] // cells
    return values.reshape(cells, high, cells, high, -1).mean(axis=(1, 3))
