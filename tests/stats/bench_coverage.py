"""Coverage of nominal 95 % intervals on simulated crossed votes: a table, then one JSON line.

    python tests/stats/bench_coverage.py [replicates]

Each cell is the share of replicates whose interval holds the true value (mean width in brackets).
With 1,000 replicates a cell has a standard error of 0.007 at 0.95.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evalplatform.stats import Votes, verdicts, win_rates
from evalplatform.stats.clustering import Ratio, one_way_variance, outcome_table
from evalplatform.stats.intervals import t_quantile, wilson
from tests.stats.crossed_votes import DESIGNS, Design, simulate

SEED = 20_251_121
Z = 1.959964
WIN = Ratio((1.0, 0.0, 0.0))


def intervals(votes: Votes) -> dict[str, tuple[float, float, str]]:
    """Low, high and the true share they should hold, by method."""
    rates = win_rates(votes)
    found = {"Wilson on votes": (*wilson(rates.win.value, len(votes), Z), "win")}
    for name in ("prompt", "annotator"):
        groups = getattr(votes, f"by_{name}")
        variance = one_way_variance(WIN, outcome_table(groups, votes.outcome))
        n = rates.win.value * (1 - rates.win.value) / variance
        bounds = wilson(rates.win.value, n, t_quantile(0.95, groups.count - 1))
        found[f"{name} only"] = (*bounds, "win")
    for share in ("win", "tie", "net", "half", "decided"):
        estimate = getattr(rates, share)
        found[f"two-way {share}"] = (estimate.low, estimate.high, share)
    verdict = verdicts(votes).win
    found["verdict win, by prompt"] = (verdict.low, verdict.high, "verdict win")
    return found


def measure(design: Design, replicates: int) -> dict[str, tuple[float, float]]:
    """Coverage and mean width of each method under one design."""
    rng = np.random.default_rng(SEED)
    truth = design.true_shares()
    held: dict[str, list[bool]] = {}
    width: dict[str, list[float]] = {}
    for _ in range(replicates):
        for method, (low, high, share) in intervals(simulate(design, rng)).items():
            held.setdefault(method, []).append(low <= truth[share] <= high)
            width.setdefault(method, []).append(high - low)
    return {
        method: (float(np.mean(held[method])), float(np.mean(width[method]))) for method in held
    }


def main(replicates: int) -> None:
    results = {name: measure(design, replicates) for name, design in DESIGNS.items()}
    print(f"Coverage of nominal 95 % intervals, {replicates} replicates a design (mean width)")
    print(f"{'':26}" + "".join(f"{name:>26}" for name in results))
    for method in next(iter(results.values())):
        cells = (results[name][method] for name in results)
        print(f"{method:26}" + "".join(f"{f'{c:.3f} ({w:.3f})':>26}" for c, w in cells))
    coverage = {
        name: {method: round(cell[0], 4) for method, cell in methods.items()}
        for name, methods in results.items()
    }
    print(json.dumps({"coverage": coverage}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
