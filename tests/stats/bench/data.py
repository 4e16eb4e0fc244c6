"""The votes every row of the speed table reads, and the forms in which each library takes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalplatform.stats import Votes
from evalplatform.stats.ranking.davidson import chances
from evalplatform.stats.votes.pairs import PairVotes

from ..crossed_galleries import pair_votes

CHECKPOINTS, PROMPTS, ANNOTATORS = 30, 500, 1000
SEED = 7


@dataclass(frozen=True, eq=False)
class Data:
    """Votes as columns of integers: 30 arms, 435 pairs, 500 prompts, 1000 annotators."""

    a: np.ndarray
    b: np.ndarray
    outcome: np.ndarray
    prompt: np.ndarray
    annotator: np.ndarray

    @cached_property
    def gallery(self) -> PairVotes:
        return pair_votes(
            first=self.a,
            second=self.b,
            outcome=self.outcome,
            prompt=self.prompt,
            annotator=self.annotator,
        )

    @cached_property
    def pair(self) -> Votes:
        """The same votes as if all were on one pair of arms."""
        return Votes(self.outcome, self.prompt, self.annotator, self.prompt)

    @cached_property
    def items(self) -> Votes:
        """The same votes by item, one for each pair of arms on each prompt."""
        turned = self.a > self.b
        first, second = np.where(turned, (self.b, self.a), (self.a, self.b)).astype(np.int64)
        outcome = np.where(turned, 2 - self.outcome, self.outcome)
        item = (first * CHECKPOINTS + second) * PROMPTS + self.prompt
        return Votes(outcome, self.prompt, self.annotator, item)

    @property
    def gallery_bytes(self) -> int:
        """Size of the columns that `gallery` reads."""
        names = ("first", "second", "outcome", "prompt", "annotator")
        return sum(int(getattr(self.gallery, name).nbytes) for name in names)

    def head(self, n: int) -> Data:
        return Data(*(getattr(self, name)[:n] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.a)


def make(n: int) -> Data:
    """n votes; strengths, prompts and annotators all matter, as in a real study."""
    rng = np.random.default_rng(SEED)
    first, second = np.triu_indices(CHECKPOINTS, 1)
    pair = rng.integers(0, len(first), n)
    turned = rng.random(n) < 0.5
    a = np.where(turned, second[pair], first[pair]).astype(np.int8)
    b = np.where(turned, first[pair], second[pair]).astype(np.int8)
    prompt = rng.integers(0, PROMPTS, n).astype(np.int16)
    annotator = rng.integers(0, ANNOTATORS, n).astype(np.int16)
    strength = np.linspace(-1.0, 1.0, CHECKPOINTS)
    habit = 0.3 * rng.standard_normal((ANNOTATORS, CHECKPOINTS))
    content = 0.3 * rng.standard_normal((PROMPTS, CHECKPOINTS))
    lead = strength[a] - strength[b]
    lead += habit[annotator, a] - habit[annotator, b] + content[prompt, a] - content[prompt, b]
    win, tie, _ = chances(lead, np.array(-0.7))
    drawn = rng.random(n)
    outcome = np.where(drawn < win, 0, np.where(drawn < win + tie, 1, 2)).astype(np.int8)
    return Data(a, b, outcome, prompt, annotator)
