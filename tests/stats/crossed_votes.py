"""Votes for the tests: small hand-made ones, and simulated ones whose true shares are known.

The simulated voter prefers A by x = lean + prompt effect + annotator effect + noise, all normal,
noise of variance 1; x > tie is a vote for A, x < -tie one for B. Over new prompts and new
annotators, x is normal with variance 1 + prompt_sd^2 + annotator_sd^2, so the true shares are
values of the normal distribution function and need no simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, erf, pi, sqrt

import numpy as np

from evalplatform.stats import Outcome, Votes, factorise


@dataclass(frozen=True)
class Design:
    prompts: int
    annotators: int
    votes_per_prompt: int
    prompt_sd: float
    annotator_sd: float
    lean: float = 0.15
    tie: float = 0.25
    activity_sd: float = 0.0  # of the log of how eagerly a person takes work; 1: few do most

    def true_shares(self) -> dict[str, float]:
        spread = sqrt(1.0 + self.prompt_sd**2 + self.annotator_sd**2)
        win = normal_cdf((self.lean - self.tie) / spread)
        lose = normal_cdf((-self.lean - self.tie) / spread)
        return {
            "win": win,
            "tie": 1.0 - win - lose,
            "net": win - lose,
            "half": (1.0 + win - lose) / 2.0,
            "decided": win / (win + lose),
            "verdict win": self._true_verdict_win(),
        }

    def _true_verdict_win(self) -> float:
        """Chance that more than half of a prompt's k votes, by new people, are for A.

        Given the prompt effect the k votes are independent; Gauss-Hermite takes the mean over it.
        """
        k, people_sd = self.votes_per_prompt, sqrt(1.0 + self.annotator_sd**2)
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        wins = [
            sum(comb(k, a) * p**a * (1 - p) ** (k - a) for a in range(k // 2 + 1, k + 1))
            for p in (
                normal_cdf((self.lean - self.tie + self.prompt_sd * z) / people_sd) for z in nodes
            )
        ]
        return float(weights @ np.array(wins) / sqrt(2.0 * pi))


@dataclass(frozen=True)
class UnequalDesign:
    """One vote a prompt, people with given numbers of votes, no ties, and no preference at large.

    A person's chance to choose A is logistic in an effect of theirs with standard deviation
    `annotator_sd`, so the true share of wins is 1/2 whatever that is.
    """

    votes_each: tuple[int, ...]
    annotator_sd: float = 0.7

    def true_shares(self) -> dict[str, float]:
        return {"win": 0.5, "tie": 0.0, "net": 0.0, "half": 0.5, "decided": 0.5, "verdict win": 0.5}

    def simulate(self, rng: np.random.Generator) -> Votes:
        annotator = rng.permutation(np.repeat(np.arange(len(self.votes_each)), self.votes_each))
        prompt = np.arange(len(annotator))
        effect = self.annotator_sd * rng.standard_normal(len(self.votes_each))
        chance = 1.0 / (1.0 + np.exp(-effect[annotator]))
        return Votes(np.where(rng.random(len(prompt)) < chance, 0, 2), prompt, annotator, prompt)


def one_with(share: float, others: int, votes: int = 300) -> UnequalDesign:
    """One person with this share of the votes, the rest spread evenly over the others."""
    rest = round(votes * (1.0 - share))
    each = [rest // others + (index < rest % others) for index in range(others)]
    return UnequalDesign((votes - rest, *each))


DESIGNS = {
    "base": Design(200, 50, 5, prompt_sd=0.45, annotator_sd=0.30),
    "strong annotator habits": Design(200, 50, 5, prompt_sd=0.30, annotator_sd=0.90),
    "five annotators": Design(200, 5, 5, prompt_sd=0.45, annotator_sd=0.40),
    "independent": Design(200, 50, 5, prompt_sd=0.0, annotator_sd=0.0),
}
# Where the degrees of freedom decide: few annotators who do or do not differ, few prompts, and a
# few people who give most votes.
HARD_DESIGNS = {
    "five, strong habits": Design(200, 5, 5, prompt_sd=0.30, annotator_sd=0.90),
    "five, weak habits": Design(200, 5, 5, prompt_sd=0.45, annotator_sd=0.10),
    "three annotators": Design(200, 3, 3, prompt_sd=0.45, annotator_sd=0.30),
    "twenty prompts": Design(20, 60, 7, prompt_sd=0.60, annotator_sd=0.30),
    "uneven annotators": Design(200, 50, 5, 0.45, 0.30, activity_sd=1.0),
    "uneven, strong habits": Design(200, 50, 5, 0.30, 0.90, activity_sd=1.0),
    "uneven, twelve": Design(200, 12, 5, 0.45, 0.40, activity_sd=1.0),
}

# Where one person is nearly everybody, or a share nearly 0 or 1.
EDGE_DESIGNS: dict[str, Design | UnequalDesign] = {
    "98 % and two more": one_with(0.98, 2),
    "90 % and five": one_with(0.90, 5),
    "90 % and ten": one_with(0.90, 10),
    "80 % and ten": one_with(0.80, 10),
    "70 % and ten": one_with(0.70, 10),
    "60 % and four": one_with(0.60, 4),
    "one vote a prompt": Design(300, 20, 1, 0.45, 0.40, activity_sd=1.5),
    "two annotators": Design(200, 2, 2, 0.45, 0.30),
    "two, strong habits": Design(200, 2, 2, 0.45, 0.90),
    "rare ties": Design(200, 12, 5, 0.45, 0.40, tie=0.02),
    "lopsided": Design(200, 12, 5, 0.45, 0.40, lean=2.0, tie=0.1),
    "nearly unanimous": Design(200, 12, 5, 0.45, 0.40, lean=3.2, tie=0.1),
    "small, unanimous": Design(10, 12, 5, 0.45, 0.40, lean=2.5, tie=0.1),
}


def simulate(
    design: Design, rng: np.random.Generator, prompt_effect: np.ndarray | None = None
) -> Votes:
    """One study: every prompt is judged by `votes_per_prompt` people drawn from the pool.

    `prompt_effect` (prompts,) has standard normal effects, where they must be known.
    """
    pool = rng.random((design.prompts, design.annotators))
    if design.activity_sd:  # who comes first, of people drawn in proportion to exp(activity)
        activity = np.exp(design.activity_sd * rng.standard_normal(design.annotators))
        pool = -np.log(pool) / activity
    annotator = np.argsort(pool, axis=1)[:, : design.votes_per_prompt].ravel()
    prompt = np.repeat(np.arange(design.prompts), design.votes_per_prompt)
    if prompt_effect is None:
        prompt_effect = rng.standard_normal(design.prompts)
    x = (
        design.lean
        + design.prompt_sd * prompt_effect[prompt]
        + design.annotator_sd * rng.standard_normal(design.annotators)[annotator]
        + rng.standard_normal(len(prompt))
    )
    outcome = np.where(x > design.tie, 0, np.where(x < -design.tie, 2, 1))
    return Votes(outcome, prompt, annotator, prompt)


def votes_of(*rows: tuple[str, str, str]) -> Votes:
    """Votes from rows (prompt, annotator, outcome), one item per prompt."""
    prompt, annotator, _ = (factorise(column)[0] for column in zip(*rows, strict=True))
    outcome = [Outcome[name] for *_, name in rows]
    return Votes(outcome=outcome, prompt=prompt, annotator=annotator, item=prompt)


def swapped(votes: Votes) -> Votes:
    """The same votes with A and B exchanged."""
    return Votes(2 - votes.outcome, votes.prompt, votes.annotator, votes.item)


def grid_votes(*outcomes: str) -> Votes:
    """Votes from one string per prompt, one letter (A, T, B) per annotator; "-" is no vote."""
    name = {"A": "A", "T": "TIE", "B": "B"}
    return votes_of(
        *(
            (f"prompt {row}", f"annotator {column}", name[letter])
            for row, letters in enumerate(outcomes)
            for column, letter in enumerate(letters)
            if letter != "-"
        )
    )


def normal_cdf(x: float) -> float:
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))
