"""Importing votes cast elsewhere: seconds and memory, commit included.

    python -m tests.imports.bench_votes [--votes 100000]

A CSV of pairs of six models (20 annotators a prompt, 10,000 in all) is imported in a process of its
own. Memory is what that process grew by at its highest. The last line is JSON: `seconds`,
`votes_per_s`, `cpu_s` (of the process, without the database), `peak_mib`.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

VAR = Path("var/bench-votes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-votes", description=__doc__)
    parser.add_argument("--votes", type=int, default=100_000)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.file:
        print(json.dumps(_import(options.file)))
        return
    from tests.annotation.bench import database

    with (
        database.server(VAR.resolve() / "postgres") as server,
        server.database("votes") as name,
        tempfile.TemporaryDirectory(dir=VAR) as folder,
    ):
        os.environ["DATABASE_URL"] = server.url(name)
        path = Path(folder, "votes.csv")
        _write(path, options.votes)
        command = [sys.executable, "-m", "tests.imports.bench_votes", "--file", str(path)]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
    print(out.stdout.splitlines()[-1])


def _write(path: Path, votes: int) -> None:
    rng = np.random.default_rng(20_251_128)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model_a", "model_b", "winner", "prompt", "annotator", "created_at"])
        for at in range(votes):
            one, two = rng.permutation(6)[:2]
            writer.writerow(
                [f"model {one}", f"model {two}", ("a", "b", "tie")[rng.integers(3)],
                 f"a prompt of about the usual length, number {at // 20}",
                 f"user-{at % 20}-{at // 20 % 500}", f"2026-01-01T00:00:{at % 60:02}"]
            )  # fmt: skip


def _import(path: Path) -> dict[str, float]:
    import django

    django.setup()
    from django.core.management import call_command

    from evalplatform.accounts.projects import default_project
    from evalplatform.imports.services import import_votes
    from tests.campaigns.bench_open import highest_memory

    call_command("migrate", verbosity=0)
    before = highest_memory(reset=True)
    start, cpu = time.perf_counter(), time.process_time()
    imported = import_votes(project=default_project(), path=path, campaign="bench")
    seconds = time.perf_counter() - start
    return {
        "votes": imported.votes,
        "seconds": round(seconds, 1),
        "votes_per_s": round(imported.votes / seconds),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mib": round(highest_memory() - before, 1),
    }


if __name__ == "__main__":
    main()
