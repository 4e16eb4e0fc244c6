"""How closely an image resembles a drawing of what a prompt asks for.

Two drawings of one thing differ in style; what differs within things counts less, what differs
between things more. That weighting is learned from drawings of the same things in several styles
(within-class covariance normalisation, Hatch et al. 2006, on principal components), and images are
compared by the cosine of what is left. The drawing a prompt is compared with is held out: no model
may have been trained on it, or copying would pass for faithfulness.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.curation import Curation, Drawing
from evalplatform.simulation.features import Seen

_COMPONENTS = 40
_SHRINKAGE = 0.5  # of the covariance within things towards an even one
# Of drawings that were not learned from, those of the same thing come to 0.9, of another to 0.05.
_MIDDLE = 0.5
LIKENESS_STEP = 0.2
"""How much more alike an image is that is rated one higher."""
_TAUGHT = 0.5  # of the things; each annotator learns from others
_STOP_WORDS = frozenset({"a", "an", "the", "of", "with", "on", "in", "at", "and", "or", "to", "is"})


class References(Protocol):
    """Pictures of things, looked up by prompt."""

    def likeness(self, seen: Seen, prompt: str) -> float:
        """Return how much an image resembles what the prompt names.

        From -1 to 1; 0 where there is nothing to compare with.
        """
        ...

    def middle(self, prompt: str) -> float:
        """Return the likeness that is neither like nor unlike."""
        ...


class NoReferences:
    """Nothing to compare with: every image is equally faithful."""

    def likeness(self, seen: Seen, prompt: str) -> float:
        return 0.0

    def middle(self, prompt: str) -> float:
        return 0.0


@dataclass(frozen=True, eq=False)
class Eye:
    """A linear view of layouts in which drawings of one thing lie together."""

    mean: np.ndarray  # (F,)
    axes: np.ndarray  # (F, C)

    def __call__(self, seen: Seen) -> np.ndarray:
        """Return the view (C,) of an image, of length 1."""
        projected = (seen.layout - self.mean) @ self.axes
        view: np.ndarray = projected / max(float(np.linalg.norm(projected)), 1e-9)
        return view


def learn_eye(curation: Curation, rng: np.random.Generator) -> Eye:
    """Return the eye of one annotator, learned from half of the things, drawn by `rng`.

    Raises:
        BadInputError: hardly a thing is drawn more than once.
    """
    several = [name for name, places in sorted(curation.by_concept.items()) if len(places) > 1]
    if len(several) < 2:
        raise BadInputError(
            "the data set draws each thing once; likeness is learned from several drawings of one."
        )
    count = max(2, int(_TAUGHT * len(several)))
    taught = [several[place] for place in rng.permutation(len(several))[:count]]
    groups = [curation.layouts[curation.by_concept[name]] for name in taught]
    everything = np.concatenate(groups)
    mean = everything.mean(axis=0)
    components = np.linalg.svd(everything - mean, full_matrices=False)[2][:_COMPONENTS].T
    within = np.concatenate([group - group.mean(axis=0) for group in groups]) @ components
    covariance = within.T @ within / len(within)
    even = np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + _SHRINKAGE * even * np.eye(len(covariance)))
    return Eye(mean, components @ vectors / np.sqrt(values))


@dataclass(frozen=True, eq=False)
class HeldOutDrawings:
    """Drawings that no model was trained on, found by the words captions share with a prompt."""

    drawings: Sequence[Drawing]
    eye: Eye
    _views: dict[int, np.ndarray] = field(default_factory=dict)
    _found: dict[str, list[int]] = field(default_factory=dict)

    def likeness(self, seen: Seen, prompt: str) -> float:
        """Return the cosine with the most alike of the prompt's drawings; 0 without any."""
        places = self._places(prompt)
        if not places:
            return 0.0
        view = self.eye(seen)
        return float(max(view @ self._view(place) for place in places))

    def _places(self, prompt: str) -> list[int]:
        if prompt not in self._found:
            self._found[prompt] = matching([each.caption for each in self.drawings], prompt)
        return self._found[prompt]

    def middle(self, prompt: str) -> float:
        """Return the cosine that is neither like nor unlike; 0 without a drawing of the prompt."""
        return _MIDDLE if self._places(prompt) else 0.0

    def _view(self, place: int) -> np.ndarray:
        if place not in self._views:
            self._views[place] = self.eye(self.drawings[place].seen)
        return self._views[place]


def held_out_drawings(drawings: Sequence[Drawing], curation: Curation, eye: Eye) -> HeldOutDrawings:
    """Return drawings to compare with.

    Raises:
        BadInputError: some are in the data set that models are trained on.
    """
    trained = {each.sha256: each for each in curation.drawings}
    known = [each for each in drawings if each.sha256 in trained]
    if known:
        raise BadInputError(
            f"{len(known)} of the {len(drawings)} drawings to judge faithfulness by are in the "
            f"data set that models are trained on, first {known[0].path}; give held-out ones."
        )
    return HeldOutDrawings(drawings, eye)


def matching(captions: Sequence[str], prompt: str) -> list[int]:
    """Return the places of the captions that say most of what the prompt says.

    At least half of a caption's words must be in the prompt: *pink* alone is no flamingo.

    >>> matching(["a dog", "a pink flower in bloom", "a red car"], "a pink flamingo")
    []
    >>> matching(["a dog", "a red car"], "a happy dog with a red nose")
    [0]
    """
    wanted = _words(prompt)
    by_score: dict[float, list[int]] = defaultdict(list)
    for place, caption in enumerate(captions):
        words = _words(caption)
        shared = len(words & wanted)
        if shared and 2 * shared >= len(words):
            by_score[shared / len(words | wanted)].append(place)
    return by_score[max(by_score)] if by_score else []


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - _STOP_WORDS
