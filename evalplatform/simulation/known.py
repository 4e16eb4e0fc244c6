"""Annotators of a known utility: what is true of an image is a formula, so that it can be checked.

Where a criterion hides the prompt they value a clear drawing (contrast, and few strong edges
between even areas); where it shows the prompt they value strong colour, whatever it asks. All share
the formula and differ in how they waver. It is simple enough for a small model to learn in a
minute, and it is known without noise: whether a tuned model gained by it needs no vote. It
rehearses a feedback loop; strong colour is no quality.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evalplatform.simulation.behaviour import Behaviour, Judge, draw_behaviour
from evalplatform.simulation.features import Seen, clarity, colourfulness, contrast

KNOWN = "annotators of a known utility, arithmetic on pixels: a rehearsal, no evidence of quality"

_FLOOR = 0.01
_CONTRAST, _CLARITY, _COLOUR = 1.5, 1.5, 1.2  # of logarithms; in the scale of `draw_behaviour`
_CLEAR_MIDDLE = _CONTRAST * np.log(0.27 + _FLOOR) + _CLARITY * np.log(8.0)
_COLOUR_MIDDLE = _COLOUR * np.log(0.35 + _FLOOR)
_STEP = 0.25  # about the spread among images of one prompt


def clearness(seen: Seen) -> float:
    """Return the utility of an image where the prompt is hidden, without any noise."""
    pixels = seen.pixels
    return float(_CONTRAST * np.log(contrast(pixels) + _FLOOR) + _CLARITY * np.log(clarity(pixels)))


def strong_colour(seen: Seen) -> float:
    """Return the utility of an image where the prompt is shown, without any noise."""
    return float(_COLOUR * np.log(colourfulness(seen.pixels) + _FLOOR))


def true_utility(seen: Seen, shows_prompt: bool | None = None) -> float:
    """Return what is true of an image: of one kind of criterion, or the mean of both (None)."""
    if shows_prompt is None:
        return (clearness(seen) + strong_colour(seen)) / 2
    return strong_colour(seen) if shows_prompt else clearness(seen)


@dataclass(frozen=True)
class KnownTaste:
    """Clearness; the same for all who have it."""

    says: str = KNOWN
    middle: float = float(_CLEAR_MIDDLE)
    step: float = _STEP

    def appeal(self, seen: Seen) -> float:
        return clearness(seen)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": "known-utility/1", "contrast": _CONTRAST, "clarity": _CLARITY,
            "colourfulness": _COLOUR,
        }  # fmt: skip


class ColourReferences:
    """Strong colour in the place of likeness to a drawing; which prompt it is does not matter."""

    def likeness(self, seen: Seen, prompt: str) -> float:
        return strong_colour(seen)

    def middle(self, prompt: str) -> float:
        return float(_COLOUR_MIDDLE)


def known_judge(rng: np.random.Generator) -> Judge:
    """Return an annotator of the known utility; `rng` draws how it wavers."""
    behaviour: Behaviour = replace(draw_behaviour(rng), sharpness=1.0)
    return Judge(behaviour, KnownTaste(), ColourReferences())
