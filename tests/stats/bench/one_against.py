"""Coverage of the interval of one person against the rest, for pairs and rankings.

The truth is what an endless study shows: 4,000 prompts and 1,500 people.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evalplatform.stats import GradedVotes, Votes, graded_votes, one_against_rest
from tests.stats.crossed_votes import Design, simulate
from tests.stats.graded_studies import RankingDesign

SEED = 20_261_202
DESIGNS: dict[str, Design | RankingDesign] = {
    "pairs": Design(60, 20, 4, 0.6, 0.4),
    "pairs, strong habits": Design(60, 20, 4, 0.3, 0.9),
    "pairs, two hundred prompts": Design(200, 50, 5, 1.0, 0.3),
    "pairs, five people": Design(200, 5, 5, 0.6, 0.4),
    "pairs, three people": Design(200, 3, 3, 0.6, 0.4),
    "pairs, lopsided": Design(60, 12, 3, 0.45, 0.4, lean=2.0),
    "rankings of 4": RankingDesign(60, 20, 4, 0.6, 0.4),
    "rankings, strong habits": RankingDesign(60, 20, 4, 0.3, 0.9),
    "rankings, three sets a prompt": RankingDesign(30, 20, 3, 0.8, 0.4, sets_per_prompt=3),
    "rankings, five people": RankingDesign(60, 5, 3, 0.6, 0.4),
    "rankings, twelve prompts": RankingDesign(12, 20, 5, 0.8, 0.4),
}


def drawn(design: Design | RankingDesign, rng: np.random.Generator) -> GradedVotes:
    """Return one study as graded votes."""
    return design.simulate(rng) if isinstance(design, RankingDesign) else graded(
        simulate(design, rng)
    )  # fmt: skip


def graded(votes: Votes) -> GradedVotes:
    """Return pair votes as grades of arms 0 and 1."""
    outcome = votes.outcome.astype(np.int64)
    return graded_votes(
        item=votes.item,
        prompt=votes.prompt,
        annotator=votes.annotator,
        arm=np.tile([0, 1], (len(votes), 1)),
        grade=np.stack([2 - outcome, outcome], axis=1),
    )


def measure(design: Design | RankingDesign, simulations: int) -> float:
    """Share of studies whose interval holds what an endless one shows."""
    endless = replace(design, prompts=4000, annotators=1500)
    truth = one_against_rest(drawn(endless, np.random.default_rng(1))).agreement.value
    rng, held = np.random.default_rng(SEED), []
    for _ in range(simulations):
        found = one_against_rest(drawn(design, rng)).agreement
        held.append(found.low <= truth <= found.high)
    return float(np.mean(held))


def run(simulations: int) -> dict[str, object]:
    """Print the table; `one_against_rest_coverage` is the smallest figure."""
    few = max(simulations // 2, 20)
    print(f"\nOne person against the rest: intervals that hold the truth, {few} studies")
    found = {}
    for name, design in DESIGNS.items():
        found[name] = round(measure(design, few), 4)
        print(f"{name:44}{found[name]:8.3f}", flush=True)
    return {
        "one_against_rest_designs": found,
        "one_against_rest_coverage": min(found.values()),
    }
