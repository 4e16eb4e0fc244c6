"""What simulated annotators like: arithmetic on pixels, or a curator's taste learned from picks.

A learned taste is a linear function of an image's look (`features.look`), fitted by logistic
regression so that of two drawings of one thing the picked one has the higher value (Bradley and
Terry's model with features). Every annotator learns from other things than its neighbour, which is
why they agree as far as they do and no further. They are also taught that a picked drawing is
better than a spoilt copy of it, as nobody has to be told. The things an annotator did not learn
from tell how well it learned: whole things are held out, never single drawings.

It rehearses a campaign. An annotator who shares the curator's taste prefers what looks like the
picks, so its preference for a model tuned on them is no evidence that the model is better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.curation import Curation
from evalplatform.simulation.features import Seen, clarity, colourfulness, contrast

CURATORS = "annotators who share the curator's taste: a rehearsal, no evidence of quality"
ARITHMETIC = "annotators whose taste is arithmetic on pixels: a rehearsal, no evidence of quality"

_TAUGHT = 40  # things an annotator learns from; at most half of all, so that as many test it
_RIDGE = 3.0  # of the weights; chosen by the accuracy on things held out
_ROUNDS = 50
# Colourfulness, contrast and clarity of a middling drawing, between those of flat and shaded ones.
_MIDDLING = (0.35, 0.27, 8.0)


class Taste(Protocol):
    """How much somebody likes an image."""

    @property
    def says(self) -> str:
        """Whose taste this is; stands wherever its votes show."""
        ...

    @property
    def middle(self) -> float:
        """The appeal of what is neither good nor bad."""
        ...

    @property
    def step(self) -> float:
        """How much more appealing an image is that is rated one higher."""
        ...

    def appeal(self, seen: Seen) -> float:
        """Return how appealing an image is; only differences count."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return the taste as plain values."""
        ...


@dataclass(frozen=True)
class PixelTaste:
    """A weighted sum of log colourfulness, log contrast and log clarity."""

    colourfulness: float
    contrast: float
    clarity: float
    says: str = ARITHMETIC
    step: float = 0.5  # about the spread among drawings of several styles

    @property
    def middle(self) -> float:
        return self._weighed(*_MIDDLING)

    def appeal(self, seen: Seen) -> float:
        pixels = seen.pixels
        return self._weighed(colourfulness(pixels), contrast(pixels), clarity(pixels))

    def _weighed(self, colours: float, contrasts: float, clear: float) -> float:
        floor = 0.01
        return float(
            self.colourfulness * np.log(colours + floor)
            + self.contrast * np.log(contrasts + floor)
            + self.clarity * np.log(clear)
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": "pixel-arithmetic/1", "colourfulness": self.colourfulness,
            "contrast": self.contrast, "clarity": self.clarity,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class CuratorTaste:
    """Weights of the figures of a look, learned from some of the things of a curation."""

    weights: np.ndarray  # (41,), of looks as they are
    taught: tuple[str, ...]
    right_on_held_out: float
    middle: float  # mean of the appeal of all drawings of the curation
    step: float  # its standard deviation
    says: str = CURATORS

    def appeal(self, seen: Seen) -> float:
        return float(seen.look @ self.weights)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": "curator-taste/1",
            "weights": [round(float(weight), 5) for weight in self.weights],
            "taught": len(self.taught),
            "right_on_held_out": round(self.right_on_held_out, 3),
            "middle": round(self.middle, 3),
            "step": round(self.step, 3),
        }


def draw_pixel_taste(rng: np.random.Generator) -> PixelTaste:
    """Return a taste of arithmetic; people differ in what they weigh."""
    return PixelTaste(
        colourfulness=float(rng.normal(0.5, 0.2)),
        contrast=float(rng.normal(0.5, 0.2)),
        clarity=float(rng.normal(0.8, 0.3)),
    )


def learn_taste(curation: Curation, rng: np.random.Generator) -> CuratorTaste:
    """Return the taste of one annotator, learned from things drawn by `rng`, tested on the others.

    Raises:
        BadInputError: the picks differ from the rest in nothing that annotators see.
    """
    order = [curation.concepts[place] for place in rng.permutation(len(curation.concepts))]
    taught = order[: min(_TAUGHT, len(order) // 2)]
    scale = curation.looks.std(axis=0)
    scale[scale < 1e-9] = np.inf  # what is the same in all drawings says nothing
    picks = _from_others(curation, taught)
    if not picks.any():
        raise BadInputError("the picked drawings look like the others; there is no taste to learn.")
    lessons = np.concatenate([picks, _from_spoilt(curation, taught)])
    weights = fit_preferences(lessons / scale, ridge=_RIDGE) / scale
    held_out = _from_others(curation, order[len(taught) :]) @ weights
    appeal = curation.looks @ weights
    return CuratorTaste(
        weights, tuple(taught), float((held_out > 0).mean()),
        middle=float(appeal.mean()), step=float(appeal.std()),
    )  # fmt: skip


def _from_others(curation: Curation, concepts: Sequence[str]) -> np.ndarray:
    """Return how the looks of picked drawings differ from those of the same things' others."""
    pairs = curation.pairs(concepts)
    differences: np.ndarray = curation.looks[pairs[:, 0]] - curation.looks[pairs[:, 1]]
    return differences


def _from_spoilt(curation: Curation, concepts: Sequence[str]) -> np.ndarray:
    """Return how the looks of picked drawings differ from those of their spoilt copies."""
    places = [place for name in concepts for place in curation.by_concept[name]]
    spoilt = curation.spoilt_looks
    return np.stack([curation.looks[place] - spoilt[place] for place in places if place in spoilt])


def fit_preferences(differences: np.ndarray, *, ridge: float) -> np.ndarray:
    """Return w (F,) of P(first preferred) = 1 / (1 + exp(-w x)), by Newton's method.

    `differences` (P, F) are those of the preferred from the other one; there is no intercept, since
    sides are not known. `ridge` keeps w finite where the pairs can be told apart without fault.
    """
    weights = np.zeros(differences.shape[1])
    for _ in range(_ROUNDS):
        unexpected = 1 / (1 + np.exp(differences @ weights))
        gradient = differences.T @ unexpected - ridge * weights
        spread = unexpected * (1 - unexpected)
        curvature = (differences * spread[:, None]).T @ differences
        step = np.linalg.solve(curvature + ridge * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights
