"""Votes on galleries for the tests: two published tables, and simulated votes of known truth.

The simulated voter sees arm c of prompt p at quality[c] + prompt effect[p, c] + annotator
effect[j, c], and compares two such values with noise of variance 1; a difference within -+ tie is
a tie. Over new prompts and annotators the difference is normal, so the true shares of each pair
are values of the normal distribution function, and the true strengths are those of the model
nearest to these shares: what an endless study would estimate.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np

from evalplatform.stats import Outcome, factorise
from evalplatform.stats.ranking.davidson import Fit, PairCounts, fit
from evalplatform.stats.votes.chunking import Codes, positions, smallest_unsigned
from evalplatform.stats.votes.pairs import PairVotes

from .crossed_votes import normal_cdf

# Davidson (1970), JASA 65:317-328, example 2: i, j, wins of i, wins of j, ties of six brands of
# chocolate pudding; and the worths (with sum 1) and nu he gives, to four places.
PUDDINGS = (
    *((1, 2, 19, 22, 16), (1, 3, 16, 19, 12), (2, 3, 19, 19, 10), (1, 4, 18, 23, 13)),
    *((2, 4, 23, 19, 9), (3, 4, 19, 20, 15), (1, 5, 13, 19, 18), (2, 5, 16, 20, 12)),
    *((3, 5, 16, 15, 17), (4, 5, 17, 14, 16), (1, 6, 18, 21, 12), (2, 6, 22, 20, 12)),
    *((3, 6, 13, 18, 10), (4, 6, 14, 19, 18), (5, 6, 11, 21, 12)),
)
PUDDING_WORTHS = (0.1388, 0.1730, 0.1617, 0.1654, 0.1587, 0.2024)
PUDDING_NU = 0.7468

# Agresti (1990), Categorical Data Analysis, table 10.5: games of the 1987 American League, wins
# at home over each visitor and of that visitor; and the abilities less Baltimore's with their
# standard errors, as in Turner and Firth (2012), Journal of Statistical Software 48(9).
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
HOME_GAMES = (
    ((4, 3), (4, 2), (4, 3), (6, 1), (4, 2), (6, 0)),
    ((3, 3), (4, 2), (4, 3), (6, 0), (6, 1), (4, 3)),
    ((2, 5), (4, 3), (2, 4), (4, 3), (4, 2), (6, 0)),
    ((3, 3), (5, 1), (2, 5), (4, 3), (4, 2), (6, 1)),
    ((5, 1), (2, 5), (3, 3), (4, 2), (5, 2), (6, 0)),
    ((2, 5), (3, 3), (3, 4), (4, 3), (4, 2), (2, 4)),
    ((2, 5), (1, 5), (1, 6), (2, 4), (1, 6), (3, 4)),
)
ABILITIES = (1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839)
ABILITY_ERRORS = (0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319)


def pair_votes(
    *,
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    outcome: Sequence[Any],
    prompt: Sequence[Hashable],
    annotator: Sequence[Hashable],
) -> PairVotes:
    """Votes from columns of any ids, arms in order of their first appearance, and "A", "TIE", "B".

    Columns of integers are ordered by size and may be long.
    """
    (models, arms), (prompts, prompt_ids), (people, person_ids) = (
        coded(*columns) for columns in ((first, second), (prompt,), (annotator,))
    )
    codes = outcome
    if not isinstance(outcome, np.ndarray):
        codes = [Outcome[one] if isinstance(one, str) else one for one in outcome]
    return PairVotes(
        first=models[0],
        second=models[1],
        outcome=np.asarray(codes, np.uint8),
        prompt=prompts[0],
        annotator=people[0],
        vote=np.arange(len(codes)),
        arms=arms,
        prompts=prompt_ids,
        annotators=person_ids,
    )


def coded(*columns: Sequence[Hashable]) -> tuple[list[Codes], tuple[Hashable, ...]]:
    """Positions of each column's ids in one list of all of them."""
    if all(isinstance(column, np.ndarray) for column in columns):
        codes, ids = positions(*columns)
        return codes, tuple(ids.tolist())
    found, labels = factorise([one for column in columns for one in column])
    return np.split(found.astype(smallest_unsigned(len(labels))), len(columns)), labels


def games_of(*rows: tuple[object, object, int, int, int]) -> PairVotes:
    """Votes from rows (a, b, wins of a, wins of b, ties); each vote has its prompt and person."""
    votes = [
        (a, b, outcome)
        for a, b, wins, losses, ties in rows
        for outcome in ["A"] * wins + ["B"] * losses + ["TIE"] * ties
    ]
    a, b, outcome = zip(*votes, strict=True)
    number = np.arange(len(votes))
    return pair_votes(first=a, second=b, outcome=outcome, prompt=number, annotator=number)


def baseball() -> PairVotes:
    return games_of(
        *(
            (home, away, wins, losses, 0)
            for home, games in zip(TEAMS, HOME_GAMES, strict=True)
            for away, (wins, losses) in zip(
                [team for team in TEAMS if team != home], games, strict=True
            )
        )
    )


@dataclass(frozen=True)
class GalleryDesign:
    prompts: int
    annotators: int
    votes_per_pair: int  # on each prompt, by as many people
    prompt_sd: float  # of the difference of two arms
    annotator_sd: float
    quality: tuple[float, ...] = (0.45, 0.25, 0.2, 0.0)
    tie: float = 0.25

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(len(self.quality)), 2))

    def truth(self) -> Fit:
        """The fit to the exact shares of each pair."""
        spread = sqrt(1.0 + self.prompt_sd**2 + self.annotator_sd**2)
        shares = []
        for i, j in self.pairs:
            lead = self.quality[i] - self.quality[j]
            win = normal_cdf((lead - self.tie) / spread)
            lose = normal_cdf((-lead - self.tie) / spread)
            shares.append((win, 1.0 - win - lose, lose))
        first, second = np.array(self.pairs).T
        return fit(PairCounts(first, second, np.array(shares), len(self.quality)))


GALLERY_DESIGNS = {
    "base": GalleryDesign(200, 50, 2, prompt_sd=0.45, annotator_sd=0.30),
    "large": GalleryDesign(500, 150, 2, prompt_sd=0.45, annotator_sd=0.30),
    "strong annotator habits": GalleryDesign(200, 50, 2, prompt_sd=0.30, annotator_sd=0.90),
    "five annotators": GalleryDesign(200, 5, 2, prompt_sd=0.45, annotator_sd=0.40),
    "independent": GalleryDesign(200, 50, 2, prompt_sd=0.0, annotator_sd=0.0),
}


def simulate_gallery(design: GalleryDesign, rng: np.random.Generator) -> PairVotes:
    """One study: every pair of every prompt is judged by people drawn from the pool."""
    m, k = len(design.quality), design.votes_per_pair
    first, second = np.array(design.pairs).T
    shape = (design.prompts, len(first))
    annotator = np.argsort(rng.random((*shape, design.annotators)), axis=-1)[..., :k].ravel()
    prompt = np.repeat(np.arange(design.prompts), len(first) * k)
    a = np.tile(np.repeat(first, k), design.prompts)
    b = np.tile(np.repeat(second, k), design.prompts)
    by_prompt = design.prompt_sd / sqrt(2.0) * rng.standard_normal((design.prompts, m))
    by_annotator = design.annotator_sd / sqrt(2.0) * rng.standard_normal((design.annotators, m))
    quality = np.array(design.quality)
    x = quality[a] - quality[b] + rng.standard_normal(len(a))
    x += by_prompt[prompt, a] - by_prompt[prompt, b]
    x += by_annotator[annotator, a] - by_annotator[annotator, b]
    outcome = np.where(x > design.tie, 0, np.where(x < -design.tie, 2, 1))
    turned = rng.random(len(a)) < 0.5  # either arm may come first
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    outcome = np.where(turned, 2 - outcome, outcome)
    return pair_votes(first=a, second=b, outcome=outcome, prompt=prompt, annotator=annotator)


@dataclass(frozen=True)
class LateArm:
    """A gallery whose last arm was judged by so many of the people alone."""

    people: int
    gallery: GalleryDesign = GalleryDesign(60, 20, 4, prompt_sd=0.45, annotator_sd=1.0)

    def simulate(self, rng: np.random.Generator) -> PairVotes:
        votes = simulate_gallery(self.gallery, rng)
        late = votes.arms.index(len(self.gallery.quality) - 1)
        shows_it = (votes.first == late) | (votes.second == late)
        return votes.where(~shows_it | (votes.annotator < self.people))


LATE_ARMS = {f"{people} of 20 people": LateArm(people) for people in (2, 3, 5, 10, 20)}


def uneven_gallery(seed: int = 3) -> PairVotes:
    """Crossed votes with uneven numbers per prompt and repeated (prompt, annotator) pairs."""
    rng = np.random.default_rng(seed)
    design = GalleryDesign(25, 9, 2, prompt_sd=0.8, annotator_sd=0.6)
    votes = simulate_gallery(design, rng)
    return votes.where(rng.random(len(votes)) < 0.7)
