"""People + reward: coverage of nominal 95 % intervals, and the votes a good reward is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from evalplatform.stats import Votes, variance_components, win_rates
from tests.stats.aided_studies import AIDED_DESIGNS, GOOD, AidedDesign
from tests.stats.crossed_votes import simulate
from tests.stats.real_votes import REAL_DESIGNS

SEED = 20_261_201
REWARDS = ("good reward", "middling reward", "useless reward", "biased reward", "upside down")
SHARES = ("win", "tie", "net", "half")
_MORE_PROMPTS = (1.0, 1.4, 1.8, 2.2, 2.6)


def measure(design: AidedDesign, simulations: int) -> tuple[dict[str, float], float, float]:
    """Coverage by share, and mean widths of the interval of net, with the reward and alone."""
    rng, truth = np.random.default_rng(SEED), design.people.true_shares()
    held: dict[str, list[bool]] = {share: [] for share in SHARES}
    widths = []
    for _ in range(simulations):
        found = design.rates(rng)
        for share in SHARES:
            estimate = getattr(found, share).estimate
            held[share].append(estimate.low <= truth[share] <= estimate.high)
        aided, alone = found.net.estimate, found.net.alone
        widths.append((aided.high - aided.low, alone.high - alone.low))
    with_reward, without = np.mean(widths, axis=0).tolist()
    return {share: float(np.mean(each)) for share, each in held.items()}, with_reward, without


def votes_share(simulations: int) -> float:
    """Votes with a good reward over votes alone for one width of the interval of net.

    The same people, and as many on each prompt: the width of ever more prompts without a reward
    is simulated, and where it reaches that of the reward is read between two of them.
    """
    _, wanted, _ = measure(GOOD, simulations)
    widths = []
    for times in _MORE_PROMPTS:
        rng = np.random.default_rng(SEED)
        people = replace(GOOD.people, prompts=round(GOOD.people.prompts * times))
        nets = [win_rates(simulate(people, rng)).net for _ in range(simulations)]
        widths.append(float(np.mean([net.high - net.low for net in nets])))
    print("width alone, by times the prompts: " + ", ".join(
        f"{times:g}: {width:.3f}" for times, width in zip(_MORE_PROMPTS, widths, strict=True)
    ) + f"; with the reward: {wanted:.3f}")  # fmt: skip
    if wanted < widths[-1]:
        return 1.0 / _MORE_PROMPTS[-1]  # it is worth more than was simulated
    times = float(np.interp(-wanted, [-width for width in widths], _MORE_PROMPTS))
    return 1.0 / times


def prompts_share(votes: Votes) -> float:
    """What part of the variance of a vote prompts have."""
    found = variance_components(votes)
    return found.prompt / found.total


def run(simulations: int) -> dict[str, object]:
    """Print the table; of win and net, the figures that are furthest from .95.

    `ppi_coverage` over the kinds of reward, `ppi_coverage_edges` over few prompts, few or uneven
    people, and strong habits. Ties are held more often where people hardly differ in them, with a
    reward as without.
    """
    print(f"\nPeople + reward: coverage of nominal 95 % intervals, {simulations} studies a design")
    print(f"{'':28}" + "".join(f"{share:>8}" for share in SHARES) + "   width (alone)")
    designs: dict[str, dict[str, float]] = {}
    for name, design in AIDED_DESIGNS.items():
        held, aided, alone = measure(design, simulations)
        designs[name] = {share: round(value, 4) for share, value in held.items()}
        shown = "".join(f"{value:8.3f}" for value in held.values())
        print(f"{name:28}{shown}   {aided:.3f} ({alone:.3f})", flush=True)
    rng = np.random.default_rng(SEED)
    shares = {"the design": GOOD.simulate(rng)[0]} | {
        name: design.simulate(rng) for name, design in REAL_DESIGNS.items()
    }
    print("share of prompts in the variance of a vote: " + ", ".join(
        f"{name} {prompts_share(votes):.2f}" for name, votes in shares.items()
    ))  # fmt: skip
    return {
        "ppi_designs": designs,
        "ppi_coverage": furthest(designs[name] for name in REWARDS),
        "ppi_coverage_edges": furthest(
            held for name, held in designs.items() if name not in REWARDS
        ),
        "ppi_votes_share": round(votes_share(max(simulations // 2, 20)), 3),
    }


def furthest(designs: Iterable[dict[str, float]]) -> float:
    """The coverage of win or net that lies furthest from .95."""
    figures = [held[share] for held in designs for share in ("win", "net")]
    return max(figures, key=lambda value: abs(value - 0.95))
