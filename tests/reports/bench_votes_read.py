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
K = 5
READERS = ("columns", "values_list")
TIMES = 3
SEED_PROMPTS = 1000


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

    with database.server(VAR.resolve() / "postgres") as server, server.database("votes") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        start = time.perf_counter()
        _fill(options.votes)
        print(f"made in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        found = {reader: _measure(reader) for reader in READERS}
    _publish(options.votes, found)


def _fill(votes: int) -> None:
    """Make a campaign with this many votes: a small one opened as usual, then copied in SQL.

    No trigger and no constraint is off, so the database has checked every row.
    """
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from evalplatform.accounts.models import Annotator
    from evalplatform.annotation.services import open_campaign
    from tests import factories

    call_command("migrate", verbosity=0)
    print(f"making {votes:,} votes", file=sys.stderr, flush=True)
    seed = min(votes // K, SEED_PROMPTS)
    draft = factories.make_bulk_draft(prompts=seed, criteria=["visual_appeal"], k=K)
    open_campaign(campaign=draft)
    people = Annotator.objects.bulk_create(Annotator() for _ in range(500))
    first = min(each.pk for each in people)
    with connection.cursor() as cursor:
        _copy_campaign(cursor, votes // K // seed - 1)
        cursor.execute(
            """
            INSERT INTO annotation_vote (assignment_id, annotator_id, choice, outcome, a_on_left,
                response_time_ms, idempotency_key, is_simulated, voted_at)
            SELECT id, %s + (comparison_id * 7 + slot * 13) %% 500,
                CASE pick WHEN 0 THEN 'left' WHEN 1 THEN 'right' ELSE 'tie' END,
                CASE WHEN pick = 2 THEN 'TIE' WHEN (pick = 0) = a_on_left THEN 'A' ELSE 'B' END,
                a_on_left, 1000 + id %% 900, gen_random_uuid(), true, now()
            FROM (SELECT *, floor(random() * 3)::int AS pick FROM annotation_assignment) AS slots
            """,
            [first],
        )
        cursor.execute("ANALYZE")
    connection.close()


def _copy_campaign(cursor: Any, copies: int) -> None:
    """Repeat every prompt with its samples, comparison and slots: ids move on by whole tables."""
    from evalplatform.annotation.models import Assignment
    from evalplatform.campaigns.models import Comparison
    from evalplatform.generation.models import Sample
    from evalplatform.promptsets.models import Prompt

    step: dict[Any, int] = {}
    for model, moved, others in (
        (Prompt, {"position": Prompt}, {"text": "text || ' ' || copy"}),
        (Sample, {"prompt_id": Prompt}, {}),
        (
            Comparison,
            {
                "prompt_id": Prompt,
                "sample_a_id": Sample,
                "sample_b_id": Sample,
                "position": Comparison,
            },
            {},
        ),
        (
            Assignment,
            {"comparison_id": Comparison, "serve_order": Comparison},
            {"public_id": "gen_random_uuid()"},
        ),
    ):
        table = model._meta.db_table
        cursor.execute(f"SELECT max(id) - min(id) + 1 FROM {table}")
        (step[model],) = cursor.fetchone()
        value = {field.column: field.column for field in model._meta.concrete_fields} | others
        value |= {name: f"{name} + copy * {step[by]}" for name, by in moved.items()}
        value["id"] = f"id + copy * {step[model]}"
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(value)}) SELECT {', '.join(value.values())} "
            f"FROM {table}, generate_series(1, %s) AS copy ORDER BY copy, id",
            [copies],
        )


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
    from evalplatform.reports.vote_columns import vote_columns

    table = vote_columns(campaign)
    first = [table.vote, table.outcome]
    return first + [
        column for name, column in vars(table).items() if name not in ("vote", "outcome")
    ]


def _values_list(campaign: Any) -> list[Any]:
    import numpy as np

    from evalplatform.annotation.models import Vote

    comparison = "assignment__comparison"
    rows = list(
        Vote.objects.filter(
            assignment__campaign=campaign,
            assignment__purpose="main",
            retracted_at__isnull=True,
        )
        .order_by("pk")
        .values_list(
            "pk", "outcome", f"{comparison}_id", f"{comparison}__criterion_id",
            f"{comparison}__prompt_id", "annotator_id", "exclusion_id", "choice",
            "response_time_ms", "is_simulated",
        )
    )  # fmt: skip
    codes = {"A": 0, "TIE": 1, "B": 2, "left": 0, "right": 1, "tie": 2, None: 0}
    return [
        np.array([codes.get(each, each) for each in column]) for column in zip(*rows, strict=True)
    ]


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
