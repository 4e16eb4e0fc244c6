"""Graded votes for the tests: small hand-made ones, and simulated rankings of known truth.

The simulated annotator sees arm c of prompt p at quality[c] + prompt effect[p, c] + annotator
effect[j, c] + noise of variance 1/2, and ranks what is shown; values closer than `tie` to the one
before share its place. The difference of two arms is the one of `crossed_galleries`, but for ties
that chain over three images.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from evalplatform.stats import GradedVotes, graded_votes

FOUR = ("base", "tuned", "distilled", "old")


@dataclass(frozen=True)
class RankingDesign:
    """Every prompt has `sets_per_prompt` image sets of all arms, each ranked by k people."""

    prompts: int
    annotators: int
    votes_per_set: int
    prompt_sd: float  # of the difference of two arms
    annotator_sd: float
    quality: tuple[float, ...] = (0.9, 0.3, -0.2, -1.0)
    sets_per_prompt: int = 1
    tie: float = 0.15

    def simulate(self, rng: np.random.Generator) -> GradedVotes:
        m, k = len(self.quality), self.votes_per_set
        sets = self.prompts * self.sets_per_prompt
        people = np.argsort(rng.random((sets, self.annotators)), axis=1)[:, :k].ravel()
        item = np.repeat(np.arange(sets), k)
        prompt = item // self.sets_per_prompt
        by_prompt = self.prompt_sd / sqrt(2.0) * rng.standard_normal((self.prompts, m))
        by_person = self.annotator_sd / sqrt(2.0) * rng.standard_normal((self.annotators, m))
        seen = np.array(self.quality) + by_prompt[prompt] + by_person[people]
        seen = seen + sqrt(0.5) * rng.standard_normal(seen.shape)
        return graded_votes(
            item=item,
            prompt=prompt,
            annotator=people,
            arm=np.tile(np.arange(m), (len(item), 1)),
            grade=tiers(seen, self.tie),
            arms=FOUR[:m],
        )


def tiers(seen: np.ndarray, tie: float) -> np.ndarray:
    """Grades from 0 up: one more wherever the next larger value is further away than `tie`."""
    order = np.argsort(seen, axis=1)
    steps = np.diff(np.take_along_axis(seen, order, axis=1), axis=1) > tie
    grade = np.zeros(seen.shape, dtype=np.int64)
    np.put_along_axis(grade, order[:, 1:], np.cumsum(steps, axis=1), axis=1)
    return grade


def comparisons(*rows: tuple[Hashable, Hashable, str, int, int]) -> GradedVotes:
    """Pair votes from rows (arm, other, outcomes, prompt, annotator).

    Each of the outcomes, W, T or L seen from the first arm, is a vote of the next annotator on
    the next prompt, counted from those given.
    """
    arms = tuple(dict.fromkeys(arm for a, b, *_ in rows for arm in (a, b)))
    votes = [
        (arms.index(a), arms.index(b), outcome, prompt + at, annotator + at)
        for a, b, outcomes, prompt, annotator in rows
        for at, outcome in enumerate(outcomes)
    ]
    grades = {"W": (1, 0), "T": (0, 0), "L": (0, 1)}
    return made(
        [(a, b) for a, b, *_ in votes],
        [grades[outcome] for _, _, outcome, *_ in votes],
        [prompt for *_, prompt, _ in votes],
        [annotator for *_, annotator in votes],
        arms,
    )


def made(
    arm: Sequence[Sequence[int]],
    grade: Sequence[Sequence[int]],
    prompt: Sequence[int],
    annotator: Sequence[int],
    arms: Sequence[Hashable],
) -> GradedVotes:
    """Graded votes, each on an item of its own."""
    return graded_votes(
        item=range(len(prompt)),
        prompt=prompt,
        annotator=annotator,
        arm=padded(arm, -1),
        grade=padded(grade, 0),
        arms=arms,
    )


def padded(rows: Sequence[Sequence[int]], filler: int) -> np.ndarray:
    """Rows of one length, with `filler` beyond the end of the shorter ones."""
    longest = max(len(each) for each in rows)
    return np.array([[*each, *[filler] * (longest - len(each))] for each in rows])


def tables_of(votes: GradedVotes) -> dict[str, np.ndarray]:
    """The images of all votes as `graded_votes` takes them."""
    parts = {"arm": votes.arm, "grade": votes.grade}
    ends = votes.start[1:-1]
    return {
        name: padded([each.tolist() for each in np.split(column, ends)], -1)
        for name, column in parts.items()
    }
