"""Promises that are about many results at once: families of groups, early looks, sets of ranks.

Each figure is a share of simulated studies; with 200 studies one has a standard error of 0.015 at
0.05 or 0.95.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from evalplatform.stats import Votes, compare_nets, early_look, group_tests, rank
from evalplatform.stats.ranking.rank_sets import told_apart
from tests.stats.crossed_galleries import GalleryDesign, simulate_gallery
from tests.stats.crossed_votes import Design, simulate

SEED = 20_261_128
CATEGORIES = (20, 12, 11, 8, 7, 7, 5)  # prompts by category and by challenge, as in the demo
CHALLENGES = (22, 21, 12, 4, 4, 3, 2, 2)
LOOKS = 30

FAMILIES = {
    "prompts sd 1": Design(70, 12, 5, 1.0, 0.4, lean=0.0),
    "prompts sd 2": Design(70, 12, 5, 2.0, 0.4, lean=0.0),
    "prompts sd 2, strong habits": Design(70, 12, 5, 2.0, 0.8, lean=0.0),
    "prompts sd 2, thirty people": Design(70, 30, 5, 2.0, 0.4, lean=0.0),
    "prompts sd 3, weak habits": Design(70, 12, 5, 3.0, 0.1, lean=0.0),
}
NULLS = {
    "five": Design(300, 5, 5, 0.45, 0.5, lean=0.0),
    "five, strong habits": Design(300, 5, 5, 0.45, 1.0, lean=0.0),
    "twelve": Design(300, 12, 5, 0.45, 0.5, lean=0.0),
    "forty": Design(300, 40, 5, 0.45, 0.5, lean=0.0),
    "forty, strong habits": Design(300, 40, 5, 0.45, 1.0, lean=0.0),
    "hundred, strong habits": Design(300, 100, 5, 0.45, 1.0, lean=0.0),
}
_GALLERIES = ((6, 5, 1.0), (6, 8, 1.0), (10, 6, 1.0), (10, 6, 0.5), (10, 12, 1.0), (10, 6, 0.1))
GALLERIES = {
    f"{arms} arms, {people} people, habits sd {habit}": GalleryDesign(
        50, people, 2, prompt_sd=0.45, annotator_sd=habit, quality=(0.0,) * arms
    )
    for arms, people, habit in _GALLERIES
} | {
    "30 arms, 30 people, habits sd 1": GalleryDesign(
        30, 30, 1, prompt_sd=0.45, annotator_sd=1.0, quality=(0.0,) * 30
    )
}
PAIRS = {
    "differences, other people": (Design(60, 15, 5, 0.4, 0.6), 1000),
    "differences, the same ids": (Design(60, 15, 5, 0.4, 0.6), 0),
    "differences, nearly unanimous": (Design(40, 12, 5, 0.4, 0.4, lean=2.2, tie=0.1), 1000),
}


def false_family_claim(design: Design, rng: np.random.Generator) -> bool:
    """Whether any of the demo's groups is claimed where nobody has a preference."""
    votes = simulate(design, rng)
    challenge = rng.permutation(np.repeat(np.arange(len(CHALLENGES)), CHALLENGES))
    category = np.repeat(np.arange(len(CATEGORIES)), CATEGORIES)
    labels = {
        kind: [f"group {each}" for each in of_prompt[votes.prompt]]
        for kind, of_prompt in (("category", category), ("challenge", challenge))
    }
    return any(
        each.p_holm is not None and each.p_holm <= 0.05 for each in group_tests(votes, labels)
    )


def false_early_claim(design: Design, rng: np.random.Generator) -> bool:
    """Whether any look on the way claims a preference where nobody has one."""
    votes = simulate(design, rng)
    ends = np.linspace(0, design.prompts, LOOKS + 1).astype(int)[1:]
    return any(
        early_look(votes.where(votes.prompt < end), design.votes_per_prompt).is_claim
        for end in ends
    )


def all_ranks_held(design: GalleryDesign, rng: np.random.Generator) -> bool:
    """Whether all sets hold rank 1, which all of these equal arms have."""
    ranking = rank(simulate_gallery(design, rng))
    if ranking.df is None:
        return True
    return not told_apart(ranking, len(ranking.arms)).any()


def difference_held(pair: tuple[Design, int], rng: np.random.Generator) -> bool:
    """Whether the interval of the difference of two campaigns of one design holds 0."""
    design, apart = pair
    one, two = simulate(design, rng), simulate(design, rng)
    other = Votes(two.outcome, two.prompt + apart, two.annotator + apart, two.item + apart)
    result = compare_nets(one, other)
    return result.low is not None and result.high is not None and result.low <= 0.0 <= result.high


def shares(
    what: str, happens: Callable[[Any, np.random.Generator], bool], designs: dict[str, Any], n: int
) -> dict[str, float]:
    """Print and return the share of n studies of each design in which it happens."""
    print(f"\n{what}, {n} studies a design")
    found = {}
    for name, design in designs.items():
        rng = np.random.default_rng(SEED)
        found[name] = float(np.mean([happens(design, rng) for _ in range(n)]))
        print(f"{name:44}{found[name]:8.3f}", flush=True)
    return found


def run(simulations: int) -> dict[str, float]:
    """Print all tables; return the worst figure of each."""
    few = max(simulations // 5, 20)
    families = shares("Some group falsely claimed", false_family_claim, FAMILIES, 2 * few)
    early = shares(
        f"A preference falsely claimed at one of {LOOKS} looks", false_early_claim, NULLS, few
    )
    ranks = shares("All ranks in their sets", all_ranks_held, GALLERIES, few)
    pairs = shares("Difference of campaigns held", difference_held, PAIRS, 2 * few)
    return {
        "max_fwer": worst(max, families),
        "early_false_claims": worst(max, early),
        "rank_sets_coverage": worst(min, ranks),
        "difference_coverage": worst(min, pairs),
    }


def worst(of: Callable[[Iterable[float]], float], found: dict[str, float]) -> float:
    return round(of(found.values()), 4)
