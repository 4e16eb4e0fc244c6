"""Simulated annotators: a stated preference model that sees only what a person would see.

They exist to rehearse a campaign from end to end. They are no stand-in for people: their
preference is arithmetic on pixels, and every vote they cast is marked simulated.

Model. For images L and R an annotator forms

    d = u(L) - u(R) + side_bias + noise * e,   e ~ N(0, 1)

and answers left if d > tie_band, right if d < -tie_band, else tie. For visual appeal, u is a
weighted sum of log colourfulness, log contrast and log clarity. For text faithfulness, u is how
closely the image resembles a reference picture whose caption shares words with the prompt; with no
reference, u is 0 and noise decides.
"""

import hashlib
import io
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image


class References(Protocol):
    """Pictures of things, looked up by prompt."""

    def likeness(self, pixels: np.ndarray, prompt: str) -> float:
        """Return how much `pixels` (H, W, 3 in [0, 1]) resembles the prompt's references."""
        ...


class NoReferences:
    """Nothing to compare with: every image is equally faithful."""

    def likeness(self, pixels: np.ndarray, prompt: str) -> float:
        return 0.0


@dataclass(frozen=True)
class Behaviour:
    """One annotator's stated behaviour; utilities and biases share one scale."""

    seed: int
    colourfulness: float
    contrast: float
    clarity: float
    likeness: float
    noise: float
    side_bias: float
    tie_band: float

    def as_dict(self) -> dict[str, Any]:
        return {"model": "pixel-utility/1", **asdict(self)}

    def choose(self, left: bytes, right: bytes, prompt: str | None, refs: References) -> str:
        """Return `left`, `tie` or `right` for two encoded images.

        The random part hangs on the seed and the pair, so the same annotator answers the same pair
        in the same way whenever it comes.
        """
        key = hashlib.sha256(left + right + (prompt or "").encode()).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(key[:8], "big")])
        difference = (
            self.utility(left, prompt, refs)
            - self.utility(right, prompt, refs)
            + self.side_bias
            + self.noise * rng.standard_normal()
        )
        if abs(difference) <= self.tie_band:
            return "tie"
        return "left" if difference > 0 else "right"

    def utility(self, image: bytes, prompt: str | None, refs: References) -> float:
        """Return u of one encoded image: appeal, or faithfulness where a prompt is shown."""
        pixels = decode(image)
        if prompt is not None:
            return self.likeness * refs.likeness(pixels, prompt)
        floor = 0.01
        return float(
            self.colourfulness * np.log(colourfulness(pixels) + floor)
            + self.contrast * np.log(contrast(pixels) + floor)
            + self.clarity * np.log(clarity(pixels))
        )


def draw_behaviour(*, seed: int, index: int) -> Behaviour:
    """Return the behaviour of annotator `index` of the group drawn with `seed`.

    Annotators differ in taste, noise, side bias and readiness to tie, as people do.
    """
    rng = np.random.default_rng([seed, index])
    return Behaviour(
        seed=int(rng.integers(2**31)),
        colourfulness=float(rng.normal(0.5, 0.2)),
        contrast=float(rng.normal(0.5, 0.2)),
        clarity=float(rng.normal(0.8, 0.3)),
        likeness=float(rng.uniform(6.0, 10.0)),
        noise=float(rng.uniform(0.3, 0.6)),
        side_bias=float(rng.normal(0.03, 0.05)),
        tie_band=float(rng.uniform(0.05, 0.2)),
    )


def decode(image: bytes) -> np.ndarray:
    """Return encoded image bytes as (H, W, 3) floats in [0, 1]."""
    with Image.open(io.BytesIO(image)) as opened:
        return np.asarray(opened.convert("RGB"), dtype=np.float64) / 255


def colourfulness(pixels: np.ndarray) -> float:
    """Return Hasler and Süsstrunk's (2003) colourfulness of (H, W, 3) pixels in [0, 1]."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = np.hypot(rg.std(), yb.std())
    return float(spread + 0.3 * np.hypot(rg.mean(), yb.mean()))


def contrast(pixels: np.ndarray) -> float:
    """Return the standard deviation of luma (Rec. 601 weights)."""
    return float((pixels @ [0.299, 0.587, 0.114]).std())


def clarity(pixels: np.ndarray) -> float:
    """Return how concentrated the luma gradient is: mean square over squared mean, at least 1.

    A clean drawing has few strong edges between even areas; mottling spreads weak ones everywhere.
    """
    luma = pixels @ [0.299, 0.587, 0.114]
    gradient = np.hypot(np.diff(luma, axis=0)[:, :-1], np.diff(luma, axis=1)[:-1])
    return (
        float(np.mean(gradient**2) / max(np.mean(gradient) ** 2, 1e-9)) if gradient.any() else 1.0
    )
