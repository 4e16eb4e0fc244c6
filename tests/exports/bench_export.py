"""Writing a million votes to Parquet: our export beside a bare pyarrow writer of the same rows.

    python -m tests.exports.bench_export [--votes 1000000]

Both read the same server-side cursor, a block at a time; the bare one writes one file and nothing
else, ours parts, checksums and where it goes on. Each runs in a process of its own, three times in
turn; the median counts. `peak_mib` is what ours held at its highest while it wrote all votes, and
`peak_mib_of_a_quarter` with a quarter of them: the same, where memory is flat. A table, then one
JSON line.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

VAR = Path("var/bench-export")
WRITERS = ("bare", "ours")
Run = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-export", description=__doc__)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--writer", choices=WRITERS, help=argparse.SUPPRESS)
    parser.add_argument("--most", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.writer:
        print(json.dumps(_write(options.writer, options.most)))
        return
    from tests.annotation.bench import database
    from tests.reports import bench_campaign

    with database.server(VAR.resolve() / "postgres") as server, server.database("votes") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        bench_campaign.fill(options.votes)
        runs: dict[str, list[Run]] = {writer: [] for writer in WRITERS}
        for _ in range(options.times):
            for writer, found in runs.items():
                found.append(_measure(writer, options.votes))
        quarter = _measure("ours", options.votes // 4)
    _publish(options.votes, runs, quarter)


def _measure(writer: str, most: int) -> dict[str, float]:
    out = subprocess.run(
        [sys.executable, "-m", "tests.exports.bench_export", f"--writer={writer}",
         f"--most={most}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return found


def _write(writer: str, most: int) -> dict[str, float]:
    import django

    django.setup()
    from evalplatform.campaigns.models import Campaign
    from evalplatform.exports.options import checked_options
    from evalplatform.exports.reading import RowStream
    from evalplatform.exports.statements import statement_of, values_of

    campaign = Campaign.objects.get()
    options = checked_options(campaign, {"kind": "parquet"})
    folder = Path(tempfile.mkdtemp(dir=VAR))
    step = _bare if writer == "bare" else _ours
    try:
        Path("/proc/self/clear_refs").write_text("5")
        start = time.perf_counter()
        stream = RowStream(f"{statement_of(options)} LIMIT {most}", values_of(campaign, options))
        rows = step(campaign, options, folder, stream)
        seconds = time.perf_counter() - start
        peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        size = sum(each.stat().st_size for each in folder.rglob("*.parquet")) / 2**20
    finally:
        shutil.rmtree(folder)
    return {"seconds": seconds, "peak_mib": peak, "rows": rows, "file_mib": size}


def _bare(campaign: Any, options: Any, folder: Path, stream: Any) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    from evalplatform.exports.shapes import shape_of
    from evalplatform.exports.statements import columns_of

    schema, names = shape_of(options).schema, columns_of(options.grain)
    written = 0
    with parquet.ParquetWriter(
        folder / "bare.parquet", schema, compression="zstd", compression_level=1
    ) as writer:
        for block in stream.blocks(10_000):
            columns = dict(zip(names, zip(*block, strict=True), strict=True))
            arrays = [pa.array(columns[field.name], field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            written += len(block)
    return written


def _ours(campaign: Any, options: Any, folder: Path, stream: Any) -> int:
    from evalplatform.exports.building import write_rows
    from evalplatform.exports.marks import Marks
    from evalplatform.exports.shapes import shape_of
    from evalplatform.exports.state import ExportState
    from evalplatform.exports.told import Told

    state = ExportState(campaign.slug, options.as_json(), "", "2026-01-01T00:00:00+00:00")
    told = Told(campaign, options, folder, state, Marks("", ""))
    write_rows(told, shape_of(options), stream, lambda rows: None)
    return told.rows


def _publish(
    votes: int, runs: dict[str, list[dict[str, float]]], quarter: dict[str, float]
) -> None:
    middle = {
        writer: {name: median(run[name] for run in found) for name in found[0]}
        for writer, found in runs.items()
    }
    assert all(each["rows"] == votes for each in middle.values())
    print(f"{votes:,} votes, {len(runs['ours'])} runs each, embedded PostgreSQL\n")
    print(f"{'':24}{'seconds':>10}{'votes/s':>12}{'peak, MiB':>12}{'files, MiB':>12}")
    names = {"bare": "bare pyarrow writer", "ours": "export --as parquet"}
    for writer, row in middle.items():
        print(f"{names[writer]:24}{row['seconds']:>10.1f}{votes / row['seconds']:>12,.0f}"
              f"{row['peak_mib']:>12.0f}{row['file_mib']:>12.0f}")  # fmt: skip
    line = {
        "votes": votes,
        "ratio_vs_bare_writer": round(middle["ours"]["seconds"] / middle["bare"]["seconds"], 3),
        "seconds": round(middle["ours"]["seconds"], 1),
        "peak_mib": round(middle["ours"]["peak_mib"]),
        "peak_mib_of_a_quarter": round(quarter["peak_mib"]),
        "bare_peak_mib": round(middle["bare"]["peak_mib"]),
    }
    print("\n" + json.dumps(line))


if __name__ == "__main__":
    main()
