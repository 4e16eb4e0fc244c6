"""Coverage of what graded votes give: strength differences of rankings, means of ratings.

The truth is what one endless study shows: a fit to 6,000 prompts and 1,500 people, which lies
within 0.02 of it, or exact means of grades.
"""

from __future__ import annotations

from itertools import combinations
from math import erf, sqrt

import numpy as np

from evalplatform.stats import GradedVotes, graded_votes, rank, rate_arms
from evalplatform.stats.ranking.davidson import fit, pair_counts
from tests.stats.graded_studies import FOUR, RankingDesign

SEED = 20_261_129
RANKINGS = {
    "rankings of 4, 20 people": RankingDesign(60, 20, 4, prompt_sd=0.6, annotator_sd=0.4),
    "the same, strong habits": RankingDesign(60, 20, 4, prompt_sd=0.3, annotator_sd=0.9),
    "three sets a prompt": RankingDesign(30, 20, 3, 0.8, 0.4, sets_per_prompt=3),
    "five people": RankingDesign(60, 5, 3, prompt_sd=0.6, annotator_sd=0.4),
    "twelve prompts": RankingDesign(12, 20, 5, prompt_sd=0.8, annotator_sd=0.4),
}


class RatingDesign:
    """Grades 1 to 5 of three arms by k people a prompt, who rate all arms or other ones."""

    def __init__(
        self,
        prompts: int,
        people: int,
        votes: int,
        sd: float,
        quality: tuple[float, ...],
        same_people: bool = True,
    ) -> None:
        self.shape = prompts, people, votes
        self.sd, self.quality, self.same_people = sd, np.array(quality), same_people

    def truth(self) -> np.ndarray:
        """Mean grades: 1 and the chances of more than 1, 2, 3 and 4."""
        spread = sqrt(4.0 * self.sd**2 + 0.64)
        steps = np.array([1.5, 2.5, 3.5, 4.5])
        above = [[0.5 - 0.5 * erf((step - one) / spread / sqrt(2)) for step in steps]
                 for one in self.quality]  # fmt: skip
        return 1.0 + np.array(above).sum(axis=1)

    def simulate(self, rng: np.random.Generator) -> GradedVotes:
        (prompts, people, votes), m = self.shape, len(self.quality)
        who = np.argsort(rng.random((prompts, 1 if self.same_people else m, people)), axis=2)
        who = np.broadcast_to(who[..., :votes], (prompts, m, votes)).ravel()
        prompt = np.repeat(np.arange(prompts), m * votes)
        arm = np.tile(np.repeat(np.arange(m), votes), prompts)
        seen = self.quality[arm] + 0.8 * rng.normal(size=len(arm))
        for codes, count in ((prompt, prompts), (who, people)):
            seen += (self.sd * rng.normal(size=count))[codes]
            seen += (self.sd * rng.normal(size=(count, m)))[codes, arm]
        return graded_votes(
            item=prompt * m + arm,
            prompt=prompt,
            annotator=who,
            arm=arm[:, None],
            grade=np.clip(np.round(seen), 1, 5).astype(np.int64)[:, None],
        )


RATINGS = {
    "ratings, 20 people": RatingDesign(60, 20, 3, 0.3, (3.4, 3.2, 2.8)),
    "other people an arm": RatingDesign(60, 20, 3, 0.3, (3.4, 3.2, 2.8), same_people=False),
    "five people": RatingDesign(60, 5, 3, 0.3, (3.4, 3.2, 2.8)),
    "near the best grade": RatingDesign(60, 12, 3, 0.2, (5.2, 4.9, 5.6)),
    "twelve prompts": RatingDesign(12, 20, 5, 0.4, (3.4, 3.2, 2.8)),
}


def strengths(design: RankingDesign) -> dict[str, float]:
    """What an endless study of the design would estimate, by arm."""
    many = RankingDesign(6000, 1500, 3, design.prompt_sd, design.annotator_sd)
    fitted = fit(pair_counts(many.simulate(np.random.default_rng(1)).pairs()))
    return dict(zip(FOUR, fitted.strengths.tolist(), strict=True))


def measure_rankings(design: RankingDesign, simulations: int) -> float:
    """Share of all strength differences in their intervals."""
    truth, rng, held = strengths(design), np.random.default_rng(SEED), []
    for _ in range(simulations):
        ranking = rank(design.simulate(rng).pairs())  # as rank_arms does
        for arm, other in combinations(FOUR, 2):
            seen = ranking.difference(arm, other)
            held.append(seen.low <= truth[arm] - truth[other] <= seen.high)
    return float(np.mean(held))


def measure_ratings(design: RatingDesign, simulations: int) -> tuple[float, float]:
    """Shares of means and of differences of means in their intervals."""
    truth, rng = design.truth(), np.random.default_rng(SEED)
    means, differences = [], []
    for _ in range(simulations):
        found = rate_arms(design.simulate(rng), grades=range(1, 6))
        means += [one.mean.low <= truth[one.arm] <= one.mean.high for one in found.ratings]
        for one, (i, j) in zip(found.differences, combinations(range(len(truth)), 2), strict=True):
            differences.append(one.low <= truth[i] - truth[j] <= one.high)
    return float(np.mean(means)), float(np.mean(differences))


def run(simulations: int) -> dict[str, float]:
    """Print both tables; `ranking_coverage` is that of the first design, the others the worst."""
    print(f"\nRankings: strength differences within their intervals, {simulations} studies")
    rankings = {}
    for name, design in RANKINGS.items():
        rankings[name] = measure_rankings(design, simulations)
        print(f"{name:44}{rankings[name]:8.3f}", flush=True)
    few = max(simulations // 2, 20)
    print(f"\nRatings: means and differences within their intervals, {few} studies")
    ratings = {}
    for name, design in RATINGS.items():
        ratings[name] = measure_ratings(design, few)
        print(f"{name:44}{ratings[name][0]:8.3f}{ratings[name][1]:8.3f}", flush=True)
    return {
        "ranking_coverage": round(next(iter(rankings.values())), 4),
        "min_ranking_coverage": round(min(rankings.values()), 4),
        "min_rating_coverage": round(min(min(pair) for pair in ratings.values()), 4),
    }
