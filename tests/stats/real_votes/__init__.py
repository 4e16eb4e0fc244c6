"""Votes resampled from ratings that people gave (README.md), whose true shares are known.

Two ratings of one rater make a vote between two models: the higher wins, equal ones tie. The 527
prompts and three raters are taken as everybody there is, and studies are drawn from them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from evalplatform.stats import Votes
from evalplatform.stats.votes.columns import IntColumn

_RATINGS = Path(__file__).with_name("genai_bench.tsv")


def ratings() -> dict[str, IntColumn]:
    """Ratings from 1 to 5 by model: (prompts, raters)."""
    with _RATINGS.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        model: np.array([[int(digit) for digit in row[model]] for row in rows])
        for model in rows[0]
        if model != "prompt"
    }


@dataclass(frozen=True)
class RealDesign:
    """Studies of two models on prompts drawn from the 527, with replacement.

    Everybody judges with the eyes of one of the three raters, drawn for each of `annotators` anew;
    without a number the three raters themselves judge everything.
    """

    first: str
    second: str
    prompts: int
    annotators: int | None = None
    votes_per_prompt: int = 3

    @cached_property
    def outcome(self) -> IntColumn:
        """0, 1 or 2 by prompt and rater."""
        rated = ratings()
        return 1 - np.sign(rated[self.first] - rated[self.second])

    def true_shares(self) -> dict[str, float]:
        win, tie, lose = (float((self.outcome == each).mean()) for each in range(3))
        return {
            "win": win,
            "tie": tie,
            "net": win - lose,
            "half": win + tie / 2,
            "decided": win / (win + lose),
            "verdict win": float(np.mean([self._majority(raters) for raters in self._panels()])),
        }

    def _panels(self) -> Iterator[tuple[int, ...]]:
        """Whose eyes a prompt's votes may have, all equally likely."""
        if self.annotators is None:
            return iter([(0, 1, 2)])
        return product(range(3), repeat=self.votes_per_prompt)

    def _majority(self, raters: tuple[int, ...]) -> float:
        wins = (self.outcome[:, list(raters)] == 0).sum(axis=1)
        return float((2 * wins > len(raters)).mean())

    def simulate(self, rng: np.random.Generator) -> Votes:
        """One study."""
        drawn = rng.integers(0, len(self.outcome), self.prompts)
        people = self.annotators or 3
        eyes = np.arange(3) if self.annotators is None else rng.integers(0, 3, people)
        order = np.argsort(rng.random((self.prompts, people)), axis=1)
        annotator = order[:, : self.votes_per_prompt].ravel()
        prompt = np.repeat(np.arange(self.prompts), self.votes_per_prompt)
        return Votes(self.outcome[drawn[prompt], eyes[annotator]], prompt, annotator, prompt)


REAL_DESIGNS = {
    "real, three raters": RealDesign("SDXL_Base", "SDXL_Turbo", prompts=150),
    "real, three, lopsided": RealDesign("DALLE_3", "SDXL_2_1", prompts=150),
    "real, twelve people": RealDesign("SDXL_Base", "SDXL_Turbo", 150, 12, 5),
    "real, twelve, lopsided": RealDesign("DALLE_3", "SDXL_2_1", 150, 12, 5),
}
