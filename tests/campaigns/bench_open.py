"""Opening a campaign beside a bare COPY of the same rows: seconds and memory.

    python -m tests.campaigns.bench_open [--items 100000] [--k 5] [--join]

A draft whose samples are there (they share two images, so that storage costs nothing) is opened in
a process of its own. Then the rows that opening wrote are copied out, deleted and copied in again
by COPY alone, into the same tables with the same indexes, constraints and triggers: the limit of
any program. Memory is what the opening process grew by at its highest. A table, then one JSON line
with `open_s`, `copy_s`, `ratio_vs_copy`, `peak_mib`, `items`, `slots`.

With `--join` a fourth arm joins an open gallery of three with so many items, and brings as many;
its images are longer files, so that all others are lengthened. One JSON line with `join_s`,
`peak_mib`, `items`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VAR = Path("var/bench-open")
TABLES = (
    "campaigns_imageset", "campaigns_shownimage", "campaigns_item", "annotation_assignment",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-open", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--join", action="store_true", help="measure an arm that joins instead")
    parser.add_argument("--measured", choices=("open", "join"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.measured:
        print(json.dumps(_open() if options.measured == "open" else _join()))
        return
    from tests.annotation.bench import database

    with database.server(VAR.resolve() / "postgres") as server, server.database("open") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        if options.join:
            _gallery(options.items, options.k)
            print(json.dumps({key: round(value, 3) for key, value in _measured("join").items()}))
            return
        _draft(options.items, options.k)
        found = _measured("open") | _bare_copy()
    found["ratio_vs_copy"] = found["open_s"] / found["copy_s"]
    _publish(found)


def _measured(what: str) -> dict[str, float]:
    """Return what a process of its own measured."""
    command = [sys.executable, "-m", "tests.campaigns.bench_open", "--measured", what]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(out.stdout.splitlines()[-1]))


def _draft(items: int, k: int, **options: int) -> Any:
    import django

    django.setup()
    from django.core.management import call_command

    from tests import factories

    call_command("migrate", verbosity=0)
    print(f"making a draft of {items:,} items", file=sys.stderr, flush=True)
    sets = 3 if options.get("arms") == 3 else 1
    campaign = factories.make_bulk_draft(prompts=items // sets // 2, k=k, **options)
    _analyze()
    return campaign


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()


def _gallery(items: int, k: int) -> None:
    campaign = _draft(items, k, arms=3)
    from evalplatform.annotation.services import open_campaign
    from tests import factories

    open_campaign(campaign=campaign)
    newcomer = factories.make_checkpoint("newcomer", project=campaign.project)
    factories.make_bulk_samples(campaign, newcomer, longer_by=4096)
    _analyze()


def _join() -> dict[str, float]:
    import django

    django.setup()
    from django.utils import timezone

    from evalplatform.annotation.services import join_arm
    from evalplatform.campaigns.models import Campaign
    from evalplatform.checkpoints.models import Checkpoint

    campaign, maker = Campaign.objects.get(), Checkpoint.objects.get(name="newcomer")
    items, before = campaign.item_count, highest_memory(reset=True)
    start = time.perf_counter()
    join_arm(campaign=campaign, maker=maker, now=timezone.now())
    return {
        "join_s": time.perf_counter() - start,
        "peak_mib": highest_memory() - before,
        "items": campaign.item_count - items,
    }


def _open() -> dict[str, float]:
    import django

    django.setup()
    from evalplatform.annotation.services import open_campaign
    from evalplatform.campaigns.models import Campaign

    campaign = Campaign.objects.get()
    before = highest_memory(reset=True)
    start = time.perf_counter()
    open_campaign(campaign=campaign)
    return {
        "open_s": time.perf_counter() - start,
        "peak_mib": highest_memory() - before,
        "items": campaign.item_count,
    }


def _bare_copy() -> dict[str, float]:
    """Time COPY of the rows that opening wrote, into the tables it wrote them to."""
    from django.db import connection

    with tempfile.TemporaryDirectory(dir=VAR) as folder, connection.cursor() as cursor:
        rows: dict[str, int] = {}
        for table in TABLES:
            with (
                Path(folder, table).open("wb") as file,
                cursor.copy(f"COPY {table} TO STDOUT") as copy,
            ):
                for block in copy:
                    file.write(block)
            cursor.execute(f"SELECT count(*) FROM {table}")
            (rows[table],) = cursor.fetchone()
        cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        seconds = 0.0
        for table in TABLES:
            start = time.perf_counter()
            with (
                Path(folder, table).open("rb") as file,
                cursor.copy(f"COPY {table} FROM STDIN") as copy,
            ):
                while block := file.read(1 << 20):
                    copy.write(block)
            seconds += time.perf_counter() - start
    return {"copy_s": seconds, "slots": rows["annotation_assignment"]}


def highest_memory(*, reset: bool = False) -> float:
    """MiB this process held at its highest, from now on if `reset`. Linux only."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _publish(found: dict[str, Any]) -> None:
    print(f"{'':24}{'seconds':>10}{'rows/s':>12}")
    for name, key in (("open_campaign", "open_s"), ("bare COPY", "copy_s")):
        print(f"{name:24}{found[key]:>10.1f}{found['slots'] / found[key]:>12,.0f}")
    print(
        f"{found['items']:,} items, {found['slots']:,} slots; memory grew by "
        f"{found['peak_mib']:.0f} MiB"
    )
    print(json.dumps({key: round(value, 3) for key, value in found.items()}))


if __name__ == "__main__":
    main()
