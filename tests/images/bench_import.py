"""Importing a folder of images: images a second and memory, beside bare loops on the same cores.

    python -m tests.images.bench_import [--images 3000] [--side 512] [--processes 2]

The whole command counts, from its start to its last row. Beside it, one process a core runs a bare
loop over some of the same files: decoded and encoded by Pillow as it comes, and decoded by Pillow
and encoded by our encoder, neither hashed nor stored; before and after the import, the mean counts.
Time on the processor is given too: it says the same on a machine that others use.
Memory is that of all the command's processes together, at its highest, and what it grew by from a
quarter of the time on. A table, then one JSON line. The server is the one `DATABASE_URL` names,
else the embedded one; the database is dropped at the end.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

VAR = Path("var/bench-import")
_BARE_IMAGES = {"pillow": 120, "encoder": 600}
_SECONDS_BETWEEN_LOOKS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-import", description=__doc__)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--side", type=int, default=512, help="pixels")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    shutil.rmtree(VAR / "given", ignore_errors=True)
    shutil.rmtree(VAR / "objects", ignore_errors=True)
    from tests.annotation.bench import database

    with _pool(options.processes) as pool:
        files = _make_files(options.images, options.side, pool)
        with database.server(VAR.resolve() / "postgres") as server, server.database("import") as db:
            os.environ["DATABASE_URL"] = server.url(db)
            _prepare(options.images)
            bare = [_bare(pool, files)]
            found = _import(options.processes)
            bare.append(_bare(pool, files))
    shutil.rmtree(VAR / "objects", ignore_errors=True)
    _publish(options, found, {name: (bare[0][name] + bare[1][name]) / 2 for name in bare[0]})


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def _make_files(count: int, side: int, pool: ProcessPoolExecutor) -> list[Path]:
    print(f"making {count:,} JPEGs of {side} x {side}", file=sys.stderr, flush=True)
    folder = (VAR / "given").resolve()
    folder.mkdir(parents=True)
    return list(pool.map(partial(_make_file, folder, side), range(count), chunksize=50))


def _make_file(folder: Path, side: int, number: int) -> Path:
    """Write a picture of soft shapes with grain, which packs as a photo does."""
    rng = np.random.default_rng(number)
    shapes = rng.integers(0, 256, (side // 32, side // 32, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(shapes).resize((side, side), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 3, (side, side, 1))
    path = folder / f"{number}.jpg"
    Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def _prepare(count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from tests import factories

    call_command("migrate", verbosity=0)
    factories.make_prompt_set("bench", count)
    connection.close()


def _bare(pool: ProcessPoolExecutor, files: Sequence[Path]) -> dict[str, float]:
    """Return images a second of each bare loop, and milliseconds on the processor for one."""
    found = {}
    loops: dict[str, Callable[[Path], float]] = {"pillow": _by_pillow, "encoder": _by_our_encoder}
    for name, loop in loops.items():
        some = files[: _BARE_IMAGES[name]]
        list(pool.map(loop, files[-16:]))  # processes start, modules load
        start = time.perf_counter()
        used = sum(pool.map(loop, some, chunksize=8))
        found[name] = len(some) / (time.perf_counter() - start)
        found[f"{name}_cpu_ms"] = 1000 * used / len(some)
    return found


def _by_pillow(path: Path) -> float:
    start = time.process_time()
    with Image.open(path) as image:
        image.convert("RGB").save(io.BytesIO(), "PNG")
    return time.process_time() - start


def _by_our_encoder(path: Path) -> float:
    from evalplatform.core.stored_images import encode_image

    start = time.process_time()
    with Image.open(path) as image:
        encode_image(image)
    return time.process_time() - start


def _import(processes: int) -> dict[str, float]:
    """Run the command; return its seconds, those of all its processes on processors, and memory."""
    command = [sys.executable, "manage.py", "import_images", str(VAR / "given"), "--name", "bench"]
    command += ["--model", "M", "--prompts", "bench", "--processes", str(processes)]
    start, before = time.perf_counter(), os.times()
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    looks = []
    while running.poll() is None:
        looks.append(_memory(running.pid))
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    seconds = time.perf_counter() - start
    if running.returncode:
        raise SystemExit(f"the import ended with status {running.returncode}")
    quarter, after = max(1, len(looks) // 4), os.times()
    used = after.children_user + after.children_system
    return {
        "seconds": seconds,
        "cpu_seconds": used - before.children_user - before.children_system,
        "peak_mib": max(looks),
        "grown_mib": max(looks[-quarter:]) - max(looks[quarter : 2 * quarter] or looks),
    }


def _memory(pid: int) -> float:
    """MiB of a process and its children, what they share counted once."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.Error:
        return 0.0
    return total / 2**20


def _publish(options: argparse.Namespace, found: dict[str, float], bare: dict[str, float]) -> None:
    rate, cpu_ms = options.images / found["seconds"], 1000 * found["cpu_seconds"] / options.images
    given = f"{options.images:,} JPEGs of {options.side} x {options.side}"
    print(f"{given}, {options.processes} processes\n")
    print(f"{'':32}{'images/s':>10}{'CPU ms each':>13}{'100,000 in':>14}")
    for what, each, ms in (
        ("import_images, whole command", rate, cpu_ms),
        ("bare: Pillow decodes, encodes", bare["pillow"], bare["pillow_cpu_ms"]),
        ("bare: Pillow decodes, we encode", bare["encoder"], bare["encoder_cpu_ms"]),
    ):
        print(f"{what:32}{each:>10.1f}{ms:>13.1f}{100_000 / each / 60:>10.1f} min")
    print(f"\nmemory {found['peak_mib']:.0f} MiB, grown by {found['grown_mib']:+.0f} MiB\n")
    figures = {
        "images": options.images, "side": options.side, "processes": options.processes,
        "images_per_s": round(rate, 1), "ratio_to_bare": round(rate / bare["pillow"], 2),
        "ratio_to_bare_of_our_encoder": round(rate / bare["encoder"], 2),
        "cpu_ms": round(cpu_ms, 2), "cpu_ratio_to_bare": round(bare["pillow_cpu_ms"] / cpu_ms, 2),
        "minutes_of_100000": round(100_000 / rate / 60, 1),
        "peak_mib": round(found["peak_mib"]), "grown_mib": round(found["grown_mib"]),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
