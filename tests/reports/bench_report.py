"""The report of half a million votes: seconds when nothing is kept, seconds and memory afterwards.

    python -m tests.reports.bench_report [--votes 500000]

Each step runs in a process of its own, so that memory is that step's alone: reading the votes'
columns (the limit), `report` with an empty cache, the dashboard's page with the results kept, and
votes.csv. A table, then one JSON line. The server is the one `DATABASE_URL` names, else the
embedded one; the database is dropped at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VAR = Path("var/bench-report")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-report", description=__doc__)
    parser.add_argument("--votes", type=int, default=500_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.step:
        print(json.dumps(_measured(STEPS[options.step])))
        return
    from tests.annotation.bench import database
    from tests.reports import bench_campaign

    with database.server(VAR.resolve() / "postgres") as server, server.database("report") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        start = time.perf_counter()
        bench_campaign.fill(options.votes)
        print(f"made in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        found = {step: _in_a_process(step) for step in STEPS}
    _publish(options.votes, found)


def _in_a_process(step: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.reports.bench_report", "--step", step]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return measured


def _measured(step: Callable[[Any], int]) -> dict[str, float]:
    """Return seconds, MiB at the highest, and what the step made (votes or bytes)."""
    import django

    django.setup()
    from evalplatform.campaigns.models import Campaign

    campaign = Campaign.objects.get()
    Path("/proc/self/clear_refs").write_text("5")
    start = time.perf_counter()
    made = step(campaign)
    seconds = time.perf_counter() - start
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return {"seconds": seconds, "peak_mib": peak, "made": made}


def _columns(campaign: Any) -> int:
    from evalplatform.annotation.answer_columns import answer_columns

    return len(answer_columns(campaign))


def _cold(campaign: Any) -> int:
    from django.core.cache import caches

    from evalplatform.reports.cached import results_of
    from evalplatform.reports.table import results_table

    caches["results"].clear()
    return len(results_table(results_of(campaign)))


def _warm(campaign: Any) -> int:
    from django.template.loader import render_to_string

    from evalplatform.reports.cached import results_of
    from evalplatform.reports.dashboard import dashboard_context

    context = dashboard_context(results_of(campaign))
    return len(render_to_string("reports/_dashboard.html", context))


def _csv(campaign: Any) -> int:
    from evalplatform.reports.votes_csv import votes_csv

    return sum(len(piece) for piece in votes_csv(campaign))


STEPS = {"columns": _columns, "report": _cold, "dashboard": _warm, "votes.csv": _csv}


def _publish(votes: int, found: dict[str, dict[str, float]]) -> None:
    assert found["columns"]["made"] == votes
    print(f"{votes:,} votes on two arms, embedded PostgreSQL\n")
    print(f"{'':24}{'seconds':>10}{'peak, MiB':>12}")
    names = {
        "columns": "reading the columns", "report": "report, nothing kept",
        "dashboard": "dashboard, kept", "votes.csv": "votes.csv",
    }  # fmt: skip
    for step, row in found.items():
        print(f"{names[step]:24}{row['seconds']:>10.2f}{row['peak_mib']:>12.0f}")
    cold = found["report"]
    line = {
        "votes": votes,
        "cold_s": round(cold["seconds"], 2),
        "warm_s": round(found["dashboard"]["seconds"], 2),
        "peak_mib": round(cold["peak_mib"]),
        "ratio_to_columns": round(cold["seconds"] / found["columns"]["seconds"], 2),
        "csv_s": round(found["votes.csv"]["seconds"], 2),
        "csv_peak_mib": round(found["votes.csv"]["peak_mib"]),
    }
    print("\n" + json.dumps(line))


if __name__ == "__main__":
    main()
