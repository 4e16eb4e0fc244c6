"""Simulated reviewers of a pool: they keep by an image's true quality, with noise.

For rehearsals and tests in which it is known how good each image is: then it can be measured what
of the good people's stages keep, which no real pool tells. A reviewer sees an image as a browser
gets it, looks its true quality q (0 to 1) up by its pixels, and thinks q + noise * N(0, 1) of it;
the same image is thought the same of twice. Generalists are tuned for recall, specialists for
precision, as Dai et al. 2023 (section 3.2) describe; the thresholds are ours.

What others wrote they approve, but for a share of it that depends on text and reviewer alone; gold
known to be right is no exception, or its share would say nothing of the rest. A caption that is
known to be wrong they reject.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalplatform.core.errors import BadInputError
from evalplatform.simulation.behaviour import see
from evalplatform.simulation.describing import describe

SAYS = "reviewers who know each image's true quality, with noise: a rehearsal, no evidence"
MODEL = "true-quality/1"


@dataclass(frozen=True)
class Role:
    """From which quality on an image is kept, and from which it is not certain."""

    keep: float
    unsure: float
    marks_heads: bool


ROLES: dict[str, Role] = {
    "generalists": Role(keep=0.5, unsure=0.4, marks_heads=False),
    "specialists": Role(keep=0.75, unsure=0.75, marks_heads=True),
}


@dataclass(frozen=True)
class KnownImage:
    """What is true of an image: its quality, 0 to 1, and the heads under which it fails.

    `is_described`: whether the text shown with it is right; None where that is not known.
    """

    quality: float
    failing: tuple[str, ...] = ()
    is_described: bool | None = None


@dataclass(frozen=True, eq=False)
class Reviewer:
    """One simulated reviewer. `known`: what is true, by the key of an image's pixels."""

    seed: int
    role: str
    noise: float
    refuses: float
    known: Mapping[bytes, KnownImage]

    def as_dict(self) -> dict[str, Any]:
        """Return the stated behaviour as plain values."""
        return {
            "model": MODEL, "says": SAYS, "role": self.role, "noise": self.noise,
            "refuses": self.refuses, "seed": self.seed,
        }  # fmt: skip

    def answer(self, form: str, images: Sequence[bytes], prompt: str | None) -> str:
        """Return the answer to one image. Raises `BadInputError` for a form of several images."""
        if form == "keep_reject":
            return self._kept(images[0])
        if form == "caption":
            return describe(see(images[0]).pixels, self.seed)
        if form == "approve":
            return self._approved(images[0], prompt or "")
        raise BadInputError(
            f"reviewers answer keep_reject, caption and approve, not {form!r}; simulate others "
            "without a truth."
        )

    def marks(self, form: str, images: Sequence[bytes], heads: Collection[str]) -> list[str]:
        """Return the heads that are marked beside the answer: those that fail, else one at random.

        Only specialists mark, and only what they do not keep.
        """
        if form != "keep_reject" or not heads or not ROLES[self.role].marks_heads:
            return []
        if self._kept(images[0]) == "keep":
            return []
        key = see(images[0]).key
        failing = [head for head in heads if head in self.known[key].failing]
        return failing or [str(self._draw("head", key).choice(sorted(heads)))]

    def _kept(self, image: bytes) -> str:
        key = see(image).key
        role = ROLES[self.role]
        thought = self.known[key].quality + self.noise * self._draw("quality", key).normal()
        if thought >= role.keep:
            return "keep"
        return "unsure" if thought >= role.unsure else "reject"

    def _approved(self, image: bytes, text: str) -> str:
        key = see(image).key
        if key in self.known and self.known[key].is_described is False:
            return "reject"
        refused = self._draw("approve", key, text).random() < self.refuses
        return "reject" if refused else "approve"

    def _draw(self, what: str, key: bytes, text: str = "") -> np.random.Generator:
        digest = hashlib.sha256(f"{what}\n{text}\n".encode() + key).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest[:8], "big")])


def draw_reviewers(
    count: int,
    *,
    role: str,
    seed: int,
    known: Mapping[bytes, KnownImage],
    noise: float = 0.1,
    refuses: float = 0.1,
) -> list[Reviewer]:
    """Return `count` reviewers; the first ones of a seed are the same for any count.

    `refuses`: the share of captions that one of them rejects. Raises `BadInputError` for a role
    that there is not, or a noise below 0.
    """
    if role not in ROLES:
        raise BadInputError(f"no role {role!r}; accepted are {', '.join(ROLES)}.")
    if not 0 <= noise <= 1 or not 0 <= refuses < 1:
        raise BadInputError(f"noise {noise} and refuses {refuses}: give shares from 0 to below 1.")
    seeds = [int(np.random.default_rng([seed, each]).integers(2**31)) for each in range(count)]
    return [Reviewer(each, role, noise, refuses, known) for each in seeds]
