"""How well planted rings are found, and how often honest people are flagged: tables, then JSON.

    python -m tests.stats.bench_rings [--studies N] [--accounts N]

Every line is the mean over simulated campaigns (tests/stats/ring_studies.py) with its 95 % interval
over campaigns; where all campaigns are alike, it reaches 3 / N further, N being the accounts in
all. The JSON has `found_5pct` (rings of 5 % of the accounts that cast 150 votes each, over all
kinds), `false_alarm` (the largest mean share of honest accounts flagged by a design without a
ring), `false_alarm_beside_ring` (by a design with one), and `seconds_50k` (200 accounts, 50,000
votes, a ring among them).
"""

from __future__ import annotations

import os

ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(ONE, "1"))  # before numpy is loaded

import argparse  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402

import numpy as np  # noqa: E402

from evalplatform.stats import find_rings  # noqa: E402

from .ring_studies import KINDS, RingStudy, found_and_false  # noqa: E402

VOTES, SHARES = (20, 50, 150), (0.02, 0.05, 0.1)
CAMPS = (0.5, 0.8)
NULLS = {
    "one people": {},
    "two camps": {"camps": CAMPS},
    "camps of 1 and 3": {"camps": CAMPS, "first_camp": 0.25},
    "10 % careless": {"careless": 0.1},
    "served in turn, camps": {"camps": CAMPS, "in_turn": True},
}
OTHERS = {
    "10 % noise": {"noise": 0.1},
    "300 votes, 10 % noise": {"noise": 0.1, "votes_each": 300},
    "two camps": {"camps": CAMPS},
    "10 % careless": {"careless": 0.1},
    "served in turn": {"in_turn": True},
    "four arms": {"arms": 4},
    "rankings of four": {"form": "ranking", "arms": 4},
    "ratings, three arms": {"form": "rating", "arms": 3},
}
SEED = 2026


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stats.bench_rings", description=__doc__)
    parser.add_argument("--studies", type=int, default=12, help="simulated campaigns a line")
    parser.add_argument("--accounts", type=int, default=200)
    asked = parser.parse_args()
    found, beside = {}, []
    print(f"{'ring':<18}{'share':>6}{'votes':>6}  {'found %':<22}honest flagged %")
    for kind, share, votes, study in _grid(asked.accounts):
        hits, false, _ = found_and_false(study, SEED, asked.studies)
        found[kind, share, votes] = hits
        beside.append(float(false.mean()))
        ours, honest = _cell(hits, study.members), _cell(false, study.accounts - study.members)
        print(f"{kind:<18}{share:>6.0%}{votes:>6}  {ours:<22}{honest}", flush=True)
    print(f"\n{'5 %, 150 votes':<26}{'ring':<18}{'found %':<22}honest flagged %")
    for name, options in OTHERS.items():
        for kind in KINDS:
            study = RingStudy(accounts=asked.accounts, kind=kind, **options)
            hits, false, _ = found_and_false(study, SEED, asked.studies)
            beside.append(float(false.mean()))
            ours, honest = _cell(hits, study.members), _cell(false, study.accounts - study.members)
            print(f"{name:<26}{kind:<18}{ours:<22}{honest}", flush=True)
    print(f"\n{'without a ring':<26}{'votes':>6}  honest flagged %")
    alarms = []
    for name, options in NULLS.items():
        for votes in VOTES:
            study = RingStudy(accounts=asked.accounts, votes_each=votes, share=0.0, **options)
            _, false, _ = found_and_false(study, SEED, asked.studies)
            alarms.append(float(false.mean()))
            print(
                f"{name:<26}{votes:>6}  {_cell(false, study.accounts - study.members)}", flush=True
            )
    headline = np.concatenate([found[kind, 0.05, 150] for kind in KINDS])
    print(
        json.dumps(
            {
                "found_5pct": round(float(headline.mean()), 4),
                "false_alarm": round(max(alarms), 4),
                "false_alarm_beside_ring": round(max(beside), 4),
                "seconds_50k": round(_seconds(), 2),
                "studies_a_line": asked.studies,
            }
        )
    )


def _grid(accounts: int) -> Iterator[tuple[str, float, int, RingStudy]]:
    for kind in KINDS:
        for share in SHARES:
            for votes in VOTES:
                study = RingStudy(accounts=accounts, votes_each=votes, share=share, kind=kind)
                yield kind, share, votes, study


def _cell(shares: np.ndarray, accounts: int) -> str:
    mean, n = float(shares.mean()), len(shares)
    half = 1.96 * float(shares.std(ddof=1)) / np.sqrt(n) if n > 1 else 1.0
    half = half or 3.0 / (n * accounts)
    low, high = max(mean - half, 0.0), min(mean + half, 1.0)
    return f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _seconds() -> float:
    votes, _ = RingStudy(votes_each=250).simulate(np.random.default_rng(SEED))
    start = time.perf_counter()
    find_rings([votes])
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
