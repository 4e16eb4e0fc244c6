"""Votes on galleries as they are served: each annotator begins at a place of their own.

Everybody judges all prompts, in turn from that place, and sees the images of each in an order of
its own. What an image looks like is quality + prompt effect + taste + what its place of showing
adds + noise of variance 1; `later` adds to the last arm in the second half, and `falling` takes
from all in it. With `joins` the last arm is dealt only after so much of each annotator's walk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalplatform.stats import GradedVotes, graded_votes

from .graded_studies import tiers


@dataclass(frozen=True)
class Served:
    """What is planted; `n` images are shown of the arms, all of them where it is None."""

    quality: tuple[float, ...] = (0.9, 0.3, -0.2, -1.0)
    prompts: int = 24
    people: int = 16
    n: int | None = None
    taste: float = 0.5
    by_prompt: float = 0.5
    habit: float = 0.2  # how people differ in what a place adds
    first: float = 0.0  # what standing first adds
    later: float = 0.0
    joins: float = 0.0
    falling: float = 0.0
    tie: float = 0.15
    more_ties: float = 0.0

    def draw(self, rng: np.random.Generator) -> tuple[GradedVotes, np.ndarray]:
        """The votes in the order cast, and the position of each of their entries."""
        m, p, j = len(self.quality), self.prompts, self.people
        n = m if self.n is None else self.n
        nth, who = (each.ravel() for each in np.indices((p, j)))
        prompt = (rng.integers(p, size=j)[who] + nth) % p
        dealt = np.argsort(rng.random((p, m)), axis=1)[:, :n]  # n arms of each prompt
        arm = np.sort(dealt, axis=1)[prompt]
        if self.joins:
            before = np.argsort(rng.random((p, m - 1)), axis=1)[:, :n]
            is_before = (nth < self.joins * p)[:, None]
            arm = np.where(is_before, np.sort(before, axis=1)[prompt], arm)
        order = np.argsort(rng.random((len(who), n)), axis=1)  # place at each position
        shown = np.argsort(order, axis=1)
        late = nth >= p // 2
        adds = self.first * (np.arange(n) == 0) + self.habit * rng.normal(size=(j, n))
        looks = (
            np.array(self.quality)[arm]
            + self.by_prompt * rng.normal(size=(p, m))[prompt[:, None], arm]
            + self.taste * rng.normal(size=(j, m))[who[:, None], arm]
            + np.take_along_axis(adds[who], shown, axis=1)
            + self.later * late[:, None] * (arm == m - 1)
            - self.falling * late[:, None]
            + rng.normal(size=arm.shape)
        )
        grade = (
            np.clip(np.round(3 + looks), 1, 5).astype(int) if n == 1 else self._ranked(looks, late)
        )
        votes = graded_votes(
            item=prompt, prompt=prompt, annotator=who, arm=arm, grade=grade, arms="ABCDEFGH"[:m]
        )
        return votes, shown.ravel()

    def _ranked(self, looks: np.ndarray, late: np.ndarray) -> np.ndarray:
        grade = tiers(looks, self.tie)
        if self.more_ties:
            grade[late] = tiers(looks[late], self.tie + self.more_ties)
        return grade
