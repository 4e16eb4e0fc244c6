"""Reading a campaign's votes from PostgreSQL into arrays: seconds and memory, and Django's way.

    python -m tests.reports.bench_votes_read [--votes 1000000]

Each reader runs in a process of its own, three times; the median counts. Memory is what the
process grew by at its highest, beside the size of the arrays. The peer reads the same fields with
`values_list` into a list and makes the same arrays of it. A table, then one JSON line. The server
is the one `DATABASE_URL` names, else the embedded one; the database is dropped at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

VAR = Path("var/bench-votes-read")
READERS = ("columns", "values_list")
TIMES = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-votes-read", description=__doc__)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.reader:
        print(json.dumps(_read(options.reader)))
        return
    from tests.annotation.bench import database
    from tests.reports import bench_campaign

    with database.server(VAR.resolve() / "postgres") as server, server.database("votes") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        start = time.perf_counter()
        bench_campaign.fill(options.votes)
        print(f"made in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        found = {reader: _measure(reader) for reader in READERS}
    _publish(options.votes, found)


def _measure(reader: str) -> dict[str, float]:
    runs: list[dict[str, float]] = []
    for _ in range(TIMES):
        out = subprocess.run(
            [sys.executable, "-m", "tests.reports.bench_votes_read", "--reader", reader],
            check=True,
            capture_output=True,
            text=True,
        )
        runs.append(json.loads(out.stdout.splitlines()[-1]))
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _read(reader: str) -> dict[str, float]:
    import django

    django.setup()
    from evalplatform.campaigns.models import Campaign

    campaign = Campaign.objects.get()
    before = _highest_memory(reset=True)
    start = time.perf_counter()
    arrays = _columns(campaign) if reader == "columns" else _values_list(campaign)
    seconds = time.perf_counter() - start
    grown = _highest_memory() - before
    return {
        "seconds": seconds,
        "grown_mib": grown,
        "arrays_mib": sum(each.nbytes for each in arrays) / 2**20,
        "votes": len(arrays[0]),
        "wins": int((arrays[1] == 0).sum()),
    }


def _highest_memory(*, reset: bool = False) -> float:
    """MiB this process held at its highest, from now on if `reset`. Linux only."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _columns(campaign: Any) -> list[Any]:
    from evalplatform.annotation.answer_columns import vote_columns

    table = vote_columns(campaign)
    first = [table.vote, table.said]
    return first + [column for name, column in vars(table).items() if name not in ("vote", "said")]


def _values_list(campaign: Any) -> list[Any]:
    import numpy as np

    from evalplatform.annotation.models import Vote

    item = "assignment__item"
    rows = list(
        Vote.objects.filter(
            assignment__campaign=campaign,
            assignment__purpose="main",
            retracted_at__isnull=True,
        )
        .order_by("pk")
        .values_list(
            "pk", "grades", f"{item}_id", f"{item}__criterion_id", f"{item}__image_set_id",
            f"{item}__image_set__prompt_id", "annotator_id", "exclusion_id", "answer",
            "response_time_ms", "is_simulated",
        )
    )  # fmt: skip
    codes = {"left": 0, "right": 1, "tie": 2, None: 0}
    grades, *columns = zip(*((row[1], row[0], *row[2:]) for row in rows), strict=True)
    said = np.array([1 - one + other for one, other in grades])
    made = [np.array([codes.get(each, each) for each in column]) for column in columns]
    return [made[0], said, *made[1:]]


def _publish(votes: int, found: dict[str, dict[str, float]]) -> None:
    ours, peer = found["columns"], found["values_list"]
    assert (ours["votes"], ours["wins"]) == (peer["votes"], peer["wins"])
    print(f"{int(ours['votes']):,} votes read from PostgreSQL into arrays, median of {TIMES}\n")
    print(f"{'':14}{'seconds':>10}{'votes/s':>14}{'grown, MiB':>14}{'arrays, MiB':>14}")
    for name, row in found.items():
        rate = row["votes"] / row["seconds"]
        print(
            f"{name:14}{row['seconds']:>10.2f}{rate:>14,.0f}"
            f"{row['grown_mib']:>14.0f}{row['arrays_mib']:>14.0f}"
        )
    line = {
        "votes": int(ours["votes"]),
        "seconds": round(ours["seconds"], 3),
        "memory_over_arrays": round(ours["grown_mib"] / ours["arrays_mib"], 2),
        "ratio_values_list": round(peer["seconds"] / ours["seconds"], 2),
        "ratio_values_list_memory": round(peer["grown_mib"] / ours["grown_mib"], 2),
    }
    print("\n" + json.dumps(line))


if __name__ == "__main__":
    main()
