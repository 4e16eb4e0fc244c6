"""Coverage of nominal 95 % intervals on simulated crossed votes.

Each cell is the share of simulated studies whose interval holds the true value, with the mean
width in brackets. With 1,000 studies a cell has a standard error of 0.007 at 0.95.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from evalplatform.stats import Estimate, Votes, rank, verdicts, win_rates
from evalplatform.stats.inference.clustering import Ratio, one_way_variance, outcome_table
from evalplatform.stats.inference.intervals import t_quantile, t_quantiles, wilson
from evalplatform.stats.ranking.davidson import fit, pair_counts
from evalplatform.stats.ranking.sandwich import clustered_covariance, difference_variances
from tests.stats.crossed_galleries import (
    GALLERY_DESIGNS,
    LATE_ARMS,
    GalleryDesign,
    LateArm,
    simulate_gallery,
)
from tests.stats.crossed_votes import (
    DESIGNS,
    EDGE_DESIGNS,
    HARD_DESIGNS,
    Design,
    UnequalDesign,
    simulate,
)
from tests.stats.real_votes import REAL_DESIGNS, RealDesign

SEED = 20_251_121
SHARES = ("win", "tie", "net", "half", "decided")
Z = 1.959964
WIN = Ratio((1.0, 0.0, 0.0))
RATE_DESIGNS = DESIGNS | {"large": Design(500, 150, 5, prompt_sd=0.45, annotator_sd=0.30)}
NAMES = ("base", "large", "strong annotator habits", "five annotators", "independent")
PARTS = (
    *(NAMES, tuple(HARD_DESIGNS), tuple(EDGE_DESIGNS), tuple(REAL_DESIGNS)),
    tuple(LATE_ARMS),
)

Study = Design | UnequalDesign | RealDesign

Interval = tuple[str, float, float, float]  # method, low, high, the true value
Cells = dict[str, tuple[float, float]]  # by method: coverage, mean width


def intervals(votes: Votes) -> dict[str, tuple[float, float, str]]:
    """Low, high and the true share they should hold, by method."""
    rates = win_rates(votes)
    of_rates = {f"two-way {share}": (getattr(rates, share), share) for share in SHARES}
    verdict = {"verdict win": (verdicts(votes).win, "verdict win")}
    return _of_peers(votes, rates.win.value) | _bounds(of_rates | verdict)


def intervals_of_rates(votes: Votes) -> dict[str, tuple[float, float, str]]:
    """The same of the shares of votes alone, in half the time."""
    rates = win_rates(votes)
    return _bounds({f"two-way {share}": (getattr(rates, share), share) for share in SHARES})


def _of_peers(votes: Votes, win: float) -> dict[str, tuple[float, float, str]]:
    found = {"Wilson on votes": (*wilson(win, len(votes), Z), "win")}
    for name in ("prompt", "annotator"):
        groups = getattr(votes, f"by_{name}")
        variance = one_way_variance(WIN, outcome_table(groups, votes.outcome))
        if not variance:  # all votes alike: these peers then have no interval at all
            continue
        n = win * (1 - win) / variance
        bounds = wilson(win, n, t_quantile(0.95, groups.count - 1))
        found[f"{name} only"] = (*bounds, "win")
    return found


def _bounds(found: dict[str, tuple[Estimate, str]]) -> dict[str, tuple[float, float, str]]:
    return {
        method: (estimate.low, estimate.high, share)
        for method, (estimate, share) in found.items()
        if estimate.low is not None and estimate.high is not None  # else it says why not
    }


def measure(
    design: Study,
    simulations: int,
    found: Callable[[Votes], dict[str, tuple[float, float, str]]] = intervals,
) -> Cells:
    """Coverage and mean width of each interval that is found for a share, under one design."""
    rng = np.random.default_rng(SEED)
    truth = design.true_shares()
    return _cells(
        (method, low, high, truth[share])
        for _ in range(simulations)
        for method, (low, high, share) in found(_study(design, rng)).items()
    )


def _study(design: Study, rng: np.random.Generator) -> Votes:
    return simulate(design, rng) if isinstance(design, Design) else design.simulate(rng)


def measure_ranks(design: GalleryDesign, simulations: int) -> Cells:
    """The same for the difference in strength of every pair of a gallery."""
    return _cells(_difference_intervals(design, simulations))


def _difference_intervals(design: GalleryDesign, simulations: int) -> Iterator[Interval]:
    rng = np.random.default_rng(SEED)
    strengths = design.truth().strengths
    truth = strengths[:, None] - strengths[None, :]
    first, second = np.triu_indices(len(strengths), 1)
    for _ in range(simulations):
        votes = simulate_gallery(design, rng)
        ranking = rank(votes)
        clustered = clustered_covariance(votes, fit(pair_counts(votes)))
        m = len(strengths)
        naive = np.sqrt(difference_variances(clustered.model[:m, :m]))
        by_prompt = np.sqrt(difference_variances(clustered.prompt[:m, :m]))
        errors = {
            "rank difference, as if independent": Z * naive,
            "rank difference, by prompt": t_quantile(0.95, design.prompts - 1) * by_prompt,
            "two-way rank difference": (
                t_quantiles(0.95, ranking.difference_df) * ranking.difference_se
            ),
        }
        for i, j in zip(first, second, strict=True):
            value = ranking.values[i] - ranking.values[j]
            for method, reach in errors.items():
                yield method, value - reach[i, j], value + reach[i, j], truth[i, j]


def measure_late_arm(design: LateArm, simulations: int) -> Cells:
    """The same for strengths and differences where few people judged the last arm."""
    return _cells(_late_intervals(design, simulations))


def _late_intervals(design: LateArm, simulations: int) -> Iterator[Interval]:
    rng = np.random.default_rng(SEED)
    truth = design.gallery.truth().strengths
    last = len(truth) - 1
    for _ in range(simulations):
        ranking = rank(design.simulate(rng))
        for one in ranking.strengths:
            which = "two-way strength, late arm" if one.arm == last else "two-way strength, others"
            yield which, one.low, one.high, truth[one.arm]
        for i, j in combinations(range(last + 1), 2):
            gap = ranking.difference(i, j)
            which = "two-way difference, late arm" if j == last else "two-way difference, others"
            yield which, gap.low, gap.high, truth[i] - truth[j]


def _cells(found: Iterator[Interval]) -> Cells:
    held: dict[str, list[bool]] = {}
    width: dict[str, list[float]] = {}
    for method, low, high, truth in found:
        held.setdefault(method, []).append(low <= truth <= high)
        width.setdefault(method, []).append(high - low)
    return {
        method: (float(np.mean(held[method])), float(np.mean(width[method]))) for method in held
    }


def run(simulations: int) -> dict[str, dict[str, float]]:
    """Print the table of all designs; return coverage by design and method."""
    results: dict[str, Cells] = {}
    for name, design in (RATE_DESIGNS | HARD_DESIGNS | EDGE_DESIGNS | REAL_DESIGNS).items():
        print(f"simulating {simulations} studies: {name}", flush=True)
        results[name] = measure(design, simulations)
        if name in GALLERY_DESIGNS:
            results[name] |= measure_ranks(GALLERY_DESIGNS[name], simulations)
    for name, late in LATE_ARMS.items():
        print(f"simulating {simulations} studies: {name}", flush=True)
        results[name] = measure_late_arm(late, simulations)
    print(f"\nCoverage of nominal 95 % intervals, {simulations} studies a design (mean width)")
    for names in PARTS:
        _print_part({name: results[name] for name in names})
    return {
        name: {method: round(cell[0], 4) for method, cell in methods.items()}
        for name, methods in results.items()
    }


def smallest(results: dict[str, dict[str, float]]) -> float:
    """The smallest coverage of an interval of ours over all designs."""
    return min(
        coverage
        for methods in results.values()
        for method, coverage in methods.items()
        if method.startswith(("two-way", "verdict"))
    )


def _print_part(part: dict[str, Cells]) -> None:
    print(f"\n{'':36}" + "".join(f"{name:>26}" for name in part))
    for method in dict.fromkeys(method for cells in part.values() for method in cells):
        cells = (part[name].get(method) for name in part)
        shown = (f"{cell[0]:.3f} ({cell[1]:.3f})" if cell else "–" for cell in cells)
        print(f"{method:36}" + "".join(f"{each:>26}" for each in shown))
