"""How well planted rings are found, and how often honest people are flagged: tables, then JSON.

    python -m tests.stats.bench_rings [--studies N] [--accounts N]

Every line is the mean over simulated campaigns (tests/stats/ring_studies.py) with its 95 % interval
over campaigns; where all campaigns are alike, it reaches 3 / N further, N being the accounts in
all. The JSON has `found_5pct` (rings of 5 % of the accounts that cast 150 votes each, over all
kinds), `false_alarm` (the largest mean share of honest accounts flagged by a design without a
ring), `false_alarm_beside_ring` (by a design with one), `ordinary_found_*` and `ordinary_told_*`
(what is found in a campaign as ours are served, by kind and votes of each, and what would be by
whoever was told the other members), and `seconds_50k` (200 accounts, 50,000
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

from .ring_studies import KINDS, RingStudy, found_and_false, told_ring  # noqa: E402

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
# A campaign as ours are: PartiPrompts, two criteria, five votes an item, as the site serves it.
ORDINARY = {"in_turn": True, "criteria": 2}
ORDINARY_VOTES = {109: 150, 54: 300}  # accounts, and votes of each
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
    ordinary = _ordinary(asked.studies)
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
                **ordinary,
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


def _ordinary(studies: int) -> dict[str, float]:
    """Print what is found in an ordinary campaign, beside what could be; return it by name."""
    print(
        f"\n{'3,264 items, as served':<26}{'ring':<18}{'found %':<22}{'told who %':<12}"
        f"{'shared':<8}honest flagged %"
    )
    told: dict[str, float] = {}
    for accounts, votes in ORDINARY_VOTES.items():
        for kind, one_by_one in [*((kind, False) for kind in KINDS), *((k, True) for k in KINDS)]:
            study = RingStudy(
                accounts=accounts, votes_each=votes, kind=kind, one_by_one=one_by_one, **ORDINARY
            )
            found, false, _ = found_and_false(study, SEED, studies)
            told_of_each = [
                told_ring(*study.simulate(np.random.default_rng([SEED, index])))
                for index in range(studies)
            ]
            most, shared = np.mean(told_of_each, axis=0)
            is_alone = kind == KINDS[0]  # who favours an arm is seen without the others
            name = f"{votes} votes, {'one by one' if one_by_one else 'at once'}"
            honest = _cell(false, accounts - study.members)
            print(
                f"{name:<26}{kind:<18}{_cell(found, study.members):<22}"
                f"{'' if is_alone else f'{100 * most:.0f}':<12}{shared:<8.0f}{honest}",
                flush=True,
            )
            if not one_by_one:
                key = f"{kind.split()[0]}_{votes}"
                told[f"ordinary_found_{key}"] = round(float(found.mean()), 3)
                if not is_alone:
                    told[f"ordinary_told_{key}"] = round(float(most), 3)
    return told


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
