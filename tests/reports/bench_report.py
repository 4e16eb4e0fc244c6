"""The report of half a million votes: seconds when nothing is kept, seconds and memory afterwards.

    python -m tests.reports.bench_report [--votes 500000]

Each step runs in a process of its own, so that memory is that step's alone: reading the votes'
columns (the limit), `report` with nothing kept, all tabs in one file with the results kept,
votes.csv, every page as it is asked for while votes come in, and what keeping counts costs a vote.
A table, then one JSON line; with `--only pages` that step alone. The server is the one
`DATABASE_URL` names, else the embedded one; the database is dropped at the end.
"""

import argparse
import itertools
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
    parser.add_argument("--only", choices=[*STEPS, *ASKED], help="one step alone")
    parser.add_argument("--step", choices=[*STEPS, *ASKED], help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.step in ASKED:
        print(json.dumps(ASKED[options.step]()))
        return
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
        if options.only:
            told = {name: round(value, 3) for name, value in _in_a_process(options.only).items()}
            print("\n".join(f"{name:24}{value:>12,}" for name, value in told.items()))
            print("\n" + json.dumps({"votes": options.votes, **told}))
            return
        found = {step: _in_a_process(step) for step in STEPS}
        asked = {step: _in_a_process(step) for step in ASKED}
    _publish(options.votes, found, asked)


def _in_a_process(step: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.reports.bench_report", "--step", step]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
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
    from evalplatform.reports.cached import results_of
    from evalplatform.reports.models import KeptResults
    from evalplatform.reports.table import results_table

    KeptResults.objects.all().delete()
    return len(results_table(results_of(campaign)))


def _warm(campaign: Any) -> int:
    from evalplatform.reports.cached import results_of
    from evalplatform.reports.dashboard import offline_dashboard

    return len(offline_dashboard(results_of(campaign)))


def _csv(campaign: Any) -> int:
    from evalplatform.reports.votes_csv import votes_csv

    return sum(len(piece) for piece in votes_csv(campaign))


STEPS = {"columns": _columns, "report": _cold, "dashboard": _warm, "votes.csv": _csv}


_LOOKS = 30  # at each page, a vote before each
_BLOCKS, _BLOCK = 40, 100  # of votes, with counts kept and without in turns


_TABS = ("results", "figures", "images", "people", "quality", "protocol", "state")


def _pages() -> dict[str, float]:
    """Return how long each page and the images' state take while votes come in, in ms.

    `page` is the campaign's first tab, `worst_page_ms` the median of the slowest page.
    """
    import django

    django.setup()
    from django.test import Client
    from django.urls import reverse

    from evalplatform.accounts.models import User
    from evalplatform.campaigns.models import Campaign
    from evalplatform.reports import computing
    from evalplatform.reports.cached import results_of

    computing._sent = lambda campaign: True  # computing goes on elsewhere
    computing._start_process = lambda campaign: None
    results_of(Campaign.objects.get())
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    slug = Campaign.objects.get().slug
    addresses = {"page": reverse("reports:dashboard", args=[slug])}
    addresses |= {name: reverse(f"reports:{name}", args=[slug]) for name in _TABS}
    addresses["disagreement"] = f"{addresses['images']}?sort=disagreement"
    addresses |= {
        "export": reverse("exports:tab", args=[slug]),
        "campaigns": reverse("reports:campaign_list"),
        "home": reverse("overview:home"),
    }
    found = {}
    for name, address in addresses.items():
        found |= {f"{name}{end}": value for end, value in _asked_for(client, address).items()}
    board = _asked_for(client, reverse("leaderboard:leaderboard"), votes_come_in=False)
    found |= {f"leaderboard{end}": value for end, value in board.items()}
    for end in ("_ms", "_cpu_ms"):
        found[f"worst_page{end}"] = max(
            found[f"{name}{end}"] for name in [*addresses, "leaderboard"]
        )
    return found


def _asked_for(client: Any, address: str, *, votes_come_in: bool = True) -> dict[str, float]:
    """Return a page's times in ms after a first look: median, 95th percentile, and mean CPU time.

    CPU of this process and of its database session, so that other programs do not count.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    took, cpu = [], 0.0
    for look in range(_LOOKS + 1):
        if votes_come_in:
            with connection.cursor() as cursor:
                cursor.execute(_TAKE_BACK)
        before, start = _cpu(backend), time.perf_counter()
        answer = client.get(address)
        took.append(1000 * (time.perf_counter() - start))
        cpu += 1000 * (_cpu(backend) - before) if look else 0.0
        assert answer.status_code == 200, (address, answer.status_code)
    warm = sorted(took[1:])
    return {"_ms": warm[len(warm) // 2], "_p95_ms": warm[-2], "_cpu_ms": cpu / len(warm)}


_TAKE_BACK = """
UPDATE annotation_vote SET retracted_at = now()
WHERE id = (SELECT max(id) FROM annotation_vote WHERE retracted_at IS NULL)
"""


def _voting() -> dict[str, float]:
    """Return what a vote costs with counts kept over what it costs without, taken in turns.

    CPU of this process and of its database session, so that other programs do not count.
    `fold_cpu_ratio`: what counting costs whoever reads next, a vote's share over a vote's cost.
    """
    import django

    django.setup()
    from django.apps import apps
    from django.core.management.color import no_style
    from django.db import connection
    from django.utils import timezone

    from evalplatform.accounts.models import Annotator
    from evalplatform.annotation.services import enrol, open_campaign
    from evalplatform.tallies.folding import fold_all
    from tests import factories

    factories._serial = itertools.count(10**6)  # names that the big campaign's maker has not used
    votes = (_BLOCKS + 1) * _BLOCK
    with connection.cursor() as cursor:  # the big campaign's rows were copied with their numbers
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
    draft = factories.make_bulk_draft(prompts=votes, k=1, criteria=["visual_appeal"], slug="voting")
    open_campaign(campaign=draft)
    voter = enrol(campaign=draft, annotator=Annotator.objects.create())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    took: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    cpu: dict[str, float] = dict.fromkeys(took, 0.0)
    folding = 0.0
    for block in range(_BLOCKS + 1):
        mode = ("DISABLE", "ENABLE")[block % 2]
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE annotation_vote {mode} TRIGGER tallies_of_new_votes")
        before = _cpu(backend)
        for _ in range(_BLOCK):
            start = time.perf_counter()
            factories.vote(voter, factories.lease(voter), now=timezone.now())
            if block:
                took[mode].append(time.perf_counter() - start)
        if block:
            cpu[mode] += _cpu(backend) - before
        before = _cpu(backend)
        folded = fold_all(set())
        folding += _cpu(backend) - before if folded else 0.0
    at = {mode: sorted(times) for mode, times in took.items()}
    return {
        "vote_cpu_ratio": cpu["ENABLE"] / cpu["DISABLE"],
        "fold_cpu_ratio": folding / cpu["DISABLE"],
        "vote_median_ratio": _at(at["ENABLE"], 0.5) / _at(at["DISABLE"], 0.5),
        "vote_p95_ratio": _at(at["ENABLE"], 0.95) / _at(at["DISABLE"], 0.95),
    }


def _at(times: list[float], share: float) -> float:
    return times[int(share * len(times))]


def _cpu(backend: int) -> float:
    """Return CPU seconds of this process and of a database session on this machine."""
    fields = Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


ASKED = {"pages": _pages, "voting": _voting}


def _publish(
    votes: int, found: dict[str, dict[str, float]], asked: dict[str, dict[str, float]]
) -> None:
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
    for told in asked.values():
        line |= {name: round(value, 3 if name.endswith("ratio") else 1)
                 for name, value in told.items()}  # fmt: skip
    print(f"\npage while votes come in: {line['page_ms']} ms (median), state {line['state_ms']} ms")
    print(f"a vote costs {line['vote_cpu_ratio']} times what it costs without counts being kept")
    print("\n" + json.dumps(line))


if __name__ == "__main__":
    main()
