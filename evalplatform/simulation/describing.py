"""How a simulated writer describes an image: by its colours and light, which are all it sees."""

import numpy as np

_NAMED = {
    "red": (0.85, 0.15, 0.15), "orange": (0.95, 0.55, 0.15), "yellow": (0.95, 0.85, 0.2),
    "green": (0.2, 0.65, 0.25), "blue": (0.2, 0.4, 0.85), "purple": (0.55, 0.25, 0.7),
    "pink": (0.95, 0.6, 0.75), "brown": (0.45, 0.3, 0.18), "black": (0.05, 0.05, 0.05),
    "grey": (0.5, 0.5, 0.5), "white": (0.97, 0.97, 0.97),
}  # fmt: skip
_LUMA = np.array([0.299, 0.587, 0.114])
_OPENINGS = ("A picture", "An image", "A view", "A scene")


def describe(pixels: np.ndarray, seed: int) -> str:
    """Return two sentences on (64, 64, 3) pixels in [0, 1]; the same for the same writer."""
    luma = pixels @ _LUMA
    common, second = _colours(pixels)
    light = "dark" if luma.mean() < 0.35 else "bright" if luma.mean() > 0.65 else "evenly lit"
    contrast = "strong" if luma.std() > 0.22 else "soft"
    upper, lower = luma[: len(luma) // 2].mean(), luma[len(luma) // 2 :].mean()
    where = "the upper half is lighter" if upper > lower else "the lower half is lighter"
    opening = _OPENINGS[seed % len(_OPENINGS)]
    return (
        f"{opening} mostly {common} with some {second}, {light}. "
        f"Its contrast is {contrast} and {where}."
    )


def _colours(pixels: np.ndarray) -> tuple[str, str]:
    """Return the names of the two most frequent colours, the most frequent first."""
    names = list(_NAMED)
    table = np.array([_NAMED[name] for name in names])
    distance = ((pixels.reshape(-1, 1, 3) - table) ** 2).sum(axis=2)
    counts = np.bincount(distance.argmin(axis=1), minlength=len(names))
    first, second = np.argsort(-counts, kind="stable")[:2]
    return names[first], names[second]
