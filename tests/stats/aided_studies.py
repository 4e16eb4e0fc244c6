"""Votes on a part of the prompts and a reward on all, with the true shares known.

The voter is that of `crossed_votes`. The reward sees the prompt effect, which says how much people
at large prefer A's image of that prompt, with noise of its own: `quality` is the correlation of
what it sees with the effect, `bias` is added in favour of A, `power` bends its scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalplatform.stats import AidedRates, Votes, aided_rates

from .crossed_votes import Design, simulate

# Prompts have a share of .43 in the variance of a vote, less than in the votes of `real_votes` (.48
# to .80 by `variance_components`): where people agree more, a good reward is worth more.
PEOPLE = Design(150, 40, 3, prompt_sd=1.0, annotator_sd=0.30)


@dataclass(frozen=True)
class AidedDesign:
    people: Design
    unvoted: int
    quality: float
    bias: float = 0.0
    power: float = 1.0

    def simulate(self, rng: np.random.Generator) -> tuple[Votes, np.ndarray]:
        """Votes on the first prompts, and the reward of all of them."""
        effect = rng.standard_normal(self.people.prompts + self.unvoted)
        noise = np.sqrt(1.0 - self.quality**2) * rng.standard_normal(len(effect))
        seen = self.quality * effect + noise
        reward = self.bias + np.sign(seen) * np.abs(seen) ** self.power
        return simulate(self.people, rng, effect[: self.people.prompts]), reward

    def rates(self, rng: np.random.Generator) -> AidedRates:
        votes, reward = self.simulate(rng)
        return aided_rates(votes, prompt=np.arange(len(reward)), predicted=reward)


GOOD = AidedDesign(PEOPLE, 1500, quality=0.95)
AIDED_DESIGNS = {
    "good reward": GOOD,
    "middling reward": AidedDesign(PEOPLE, 1500, quality=0.5),
    "useless reward": AidedDesign(PEOPLE, 1500, quality=0.0),
    "biased reward": AidedDesign(PEOPLE, 1500, quality=0.7, bias=1.5, power=2.0),
    "upside down": AidedDesign(PEOPLE, 1500, quality=-0.9),
    "as many without votes": AidedDesign(PEOPLE, 150, quality=0.9),
    "thirty prompts": AidedDesign(Design(30, 25, 3, 1.0, 0.30), 300, quality=0.9),
    "thirty prompts, useless": AidedDesign(Design(30, 25, 3, 1.0, 0.30), 300, quality=0.0),
    "strong annotator habits": AidedDesign(Design(150, 40, 3, 0.8, 0.9), 1500, quality=0.9),
    "eight annotators": AidedDesign(Design(150, 8, 3, 1.0, 0.4), 1500, quality=0.9),
    "one vote a prompt": AidedDesign(Design(300, 40, 1, 1.0, 0.30), 1500, quality=0.9),
    "uneven annotators": AidedDesign(
        Design(150, 40, 3, 1.0, 0.4, activity_sd=1.0), 1500, quality=0.9
    ),
    "lopsided": AidedDesign(Design(150, 40, 3, 1.0, 0.3, lean=1.5), 1500, quality=0.9),
}
