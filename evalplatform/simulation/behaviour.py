"""Simulated annotators: a stated preference model that sees only what a person would see.

They exist to rehearse a campaign from end to end. They are no stand-in for people, and every vote
they cast is marked simulated.

Model. For images L and R an annotator forms

    d = u(L) - u(R) + side_bias + quirk * e(pair) + wavering * f,   e and f ~ N(0, 1)

and answers left if d > tie_band, right if d < -tie_band, else tie. For visual appeal, u is the
annotator's taste (`tastes`); for text faithfulness, it is `sharpness` times the likeness to a
drawing of what the prompt names (`likeness`). What an annotator alone sees in a pair, e, stays when
the pair comes again with its sides swapped; f is drawn anew each time it is shown. So quirks lower
the agreement of annotators, wavering also that of an annotator with itself.

In the other forms each image is judged by itself in the same way, quirk and wavering included.
Opinions are put in order, or held against what is neither good nor bad: of appeal what its taste
says of a middling image, of faithfulness half-way between a drawing of the thing named and of
another.

The sizes are set so that the demo's annotators tie, agree and repeat themselves about as people do
(docs/simulation.md).
"""

import hashlib
import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from evalplatform.simulation.describing import describe
from evalplatform.simulation.features import SIDE, Seen, pixels_of
from evalplatform.simulation.likeness import LIKENESS_STEP, References
from evalplatform.simulation.tastes import Taste


@dataclass(frozen=True)
class Behaviour:
    """How one annotator comes from what it sees to an answer; all but the seed on one scale."""

    seed: int
    sharpness: float
    quirk: float
    wavering: float
    side_bias: float
    tie_band: float


@dataclass(frozen=True, eq=False)
class Judge:
    """One annotator: what it likes, what it compares with, how it answers."""

    behaviour: Behaviour
    taste: Taste
    references: References

    def as_dict(self) -> dict[str, Any]:
        """Return the stated behaviour as plain values; `says` is for every reader of its votes."""
        return {"says": self.taste.says, **self.taste.as_dict(), **asdict(self.behaviour)}

    def answer(self, form: str, images: Sequence[bytes], prompt: str | None) -> str:
        """Return the answer to a set of encoded images shown in this order."""
        return ANSWERS[form](self, images, prompt)

    def marks(self, form: str, images: Sequence[bytes], heads: Collection[str]) -> list[str]:
        """Return the heads that are marked beside the answer: none, whatever the image."""
        return []

    def choose(self, left: bytes, right: bytes, prompt: str | None) -> str:
        """Return `left`, `tie` or `right` for two encoded images; `prompt` where it is shown."""
        seen = see(left), see(right)
        how = self.behaviour
        difference = (
            self.utility(seen[0], prompt)
            - self.utility(seen[1], prompt)
            + how.side_bias
            + how.quirk * self._quirk(*seen, prompt)
            + how.wavering * self._draw(left, right, prompt)
        )
        if abs(difference) <= how.tie_band:
            return "tie"
        return "left" if difference > 0 else "right"

    def opinion(self, image: bytes, prompt: str | None) -> float:
        """Return what this annotator thinks of an image beside others, wavering included."""
        seen = see(image)
        how = self.behaviour
        own = how.quirk * self._draw(seen.key, b"", prompt)
        return self.utility(seen, prompt) + (
            own + how.wavering * self._draw(image, b"", prompt)
        ) / np.sqrt(2)

    def leaning(self, image: bytes, prompt: str | None) -> float:
        """Return how far an image is above what is neither good nor bad (below: negative)."""
        opinion = self.opinion(image, prompt)
        if prompt is None:
            return opinion - self.taste.middle
        return opinion - self.behaviour.sharpness * self.references.middle(prompt)

    def step(self, prompt: str | None) -> float:
        """Return by how much an image must be better to be rated one higher."""
        return self.taste.step if prompt is None else self.behaviour.sharpness * LIKENESS_STEP

    def utility(self, seen: Seen, prompt: str | None) -> float:
        """Return u of an image: appeal, or faithfulness where a prompt is shown."""
        if prompt is None:
            return self.taste.appeal(seen)
        return self.behaviour.sharpness * self.references.likeness(seen, prompt)

    def _quirk(self, left: Seen, right: Seen, prompt: str | None) -> float:
        """Return what this annotator alone sees in a pair; swapped sides swap its sign."""
        one, two = left.key, right.key
        if one == two:
            return 0.0
        return self._draw(one, two, prompt) if one < two else -self._draw(two, one, prompt)

    def _draw(self, first: bytes, second: bytes, prompt: str | None) -> float:
        key = hashlib.sha256(first + second + (prompt or "").encode()).digest()
        rng = np.random.default_rng([self.behaviour.seed, int.from_bytes(key[:8], "big")])
        return float(rng.standard_normal())


# ---- what each form makes of that ---------------------------------------------------------------


def _pair(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    left, right = images
    return judge.choose(left, right, prompt)


def _both_or_neither(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """As a pair; a tie is both where the images are good together, else neither."""
    said = _pair(judge, images, prompt)
    if said != "tie":
        return said
    return "both" if sum(judge.leaning(each, prompt) for each in images) > 0 else "neither"


def _ranking(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """Best first; neighbours closer than half the tie band share a place.

    Of several images neighbours are nearer to each other than two images of a pair.
    """
    opinions = [judge.opinion(each, prompt) for each in images]
    order = sorted(range(len(images)), key=lambda position: -opinions[position])
    said = str(order[0])
    for before, after in pairwise(order):
        close = opinions[before] - opinions[after] <= judge.behaviour.tie_band / 2
        said += ("=" if close else ">") + str(after)
    return said


def _rating(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """1 to 5, in even steps around 3, which is neither good nor bad."""
    steps = judge.leaning(images[0], prompt) / judge.step(prompt)
    return str(int(np.clip(np.round(3 + steps), 1, 5)))


def _keep_reject(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """Keep what is good, reject what is bad; unsure within the tie band."""
    leaning = judge.leaning(images[0], prompt)
    if abs(leaning) <= judge.behaviour.tie_band:
        return "unsure"
    return "keep" if leaning > 0 else "reject"


def _caption(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """Its colours and light in words."""
    return describe(see(images[0]).pixels, judge.behaviour.seed)


def _approve(judge: Judge, images: Sequence[bytes], prompt: str | None) -> str:
    """Approve what the image resembles, or might."""
    leaning = judge.leaning(images[0], prompt)
    return "approve" if leaning >= -judge.behaviour.tie_band else "reject"


ANSWERS: dict[str, Callable[[Judge, Sequence[bytes], str | None], str]] = {
    "pair": _pair,
    "pair_both_neither": _both_or_neither,
    "ranking": _ranking,
    "rating": _rating,
    "keep_reject": _keep_reject,
    "caption": _caption,
    "approve": _approve,
}
"""How a simulated annotator answers in each form (`campaigns.forms`)."""


def draw_behaviour(rng: np.random.Generator) -> Behaviour:
    """Return a behaviour; annotators differ in quirks, side bias and readiness to tie."""
    return Behaviour(
        seed=int(rng.integers(2**31)),
        sharpness=10.0,
        quirk=float(rng.uniform(0.2, 0.3)),
        wavering=float(rng.uniform(0.08, 0.14)),
        side_bias=float(rng.normal(0.02, 0.03)),
        tie_band=float(rng.uniform(0.16, 0.28)),
    )


def see(image: bytes) -> Seen:
    """Return encoded image bytes as annotators see them."""
    with Image.open(io.BytesIO(image)) as opened:
        pixels = pixels_of(opened)
    return _once(pixels.tobytes())


@lru_cache(maxsize=4096)
def _once(pixels: bytes) -> Seen:
    """Copies of an image differ as files; many annotators see the same pixels."""
    return Seen(np.frombuffer(pixels).reshape(SIDE, SIDE, 3))
