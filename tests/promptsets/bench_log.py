"""A log of ten million lines as a prompt set: lines/s, memory, and where the lines went.

    python -m tests.promptsets.bench_log [--lines 10000000]

The log is made first, by chance from a seed: phrases of our own words, a tenth of the lines a
repeat of an earlier one with one word changed, a twentieth the same text again, some with personal
data, prompt engineering or nothing at all. The command `build_prompt_set` runs in a process of its
own, once for a tenth of the log and once for all of it, to a set in a database of its own.
`peak_mib` is what that process held of its own at its highest, `disk_mib` what its folder held,
`stages_s` the seconds of each stage. A table, then one JSON line; a run of the standard size is
kept in bench/results/.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VAR = Path("var/bench-log")
RESULTS = Path("bench/results")
LINES = 10_000_000
_KINDS = {
    "who": "fisherman nurse baker twins queen robot pilot gardener sailor judge clown painter "
    "thief grandmother student boxer monk drummer teacher hunter dentist juggler "
    "plumber acrobat miner",
    "what": "fox owl castle teapot violin lighthouse bicycle pumpkin cathedral sofa rocket "
    "piano lamp volcano wolf tram waterfall helmet cactus dragon bridge octopus "
    "suitcase kettle carousel market typewriter snail mirror windmill umbrella glacier "
    "harbour orchard library submarine staircase telescope balloon chessboard "
    "greenhouse hammock jellyfish lantern moth nutcracker parrot quilt",
    "how": "rusty golden tiny enormous sleepy furious transparent woollen frozen mossy "
    "striped broken elegant crooked glowing dusty wet velvet marble wooden paper "
    "invisible lonely cheerful ancient",
    "does": "carrying repairing painting eating watching selling building dropping stealing "
    "hiding polishing chasing measuring burying wrapping counting juggling feeding "
    "photographing sketching",
    "where": "under a pier|inside a tent|on the moon|behind a bakery|beside a frozen lake|"
    "at a bus stop|in heavy fog|during an eclipse|on a rooftop|below the stairs|"
    "in a flooded subway|at the fair|across the valley|before the storm|"
    "in an empty theatre|near the border|after the rain",
    "look": "watercolour|oil painting|at dawn|from above|pixel art|black and white photograph|"
    "close-up|in autumn|wide angle|charcoal sketch|by candlelight|art deco poster|"
    "stained glass|soft light",
}  # fmt: skip
_WORDS = {
    kind: words.split("|") if "|" in words else words.split() for kind, words in _KINDS.items()
}
_ENGINEERING = ("8k, masterpiece", "trending on artstation", "--ar 16:9", "(sharp focus:1.3)")
_ELSE = ("write to {}@example.org for a cat", "call 030 {} for a poster", "8k, masterpiece {}k", "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-log", description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    if options.build:
        print(json.dumps(_build(options.build)))
        return
    from tests.annotation.bench import database

    shutil.rmtree(VAR, ignore_errors=True)
    VAR.mkdir(parents=True)
    found = {}
    try:
        with (
            database.server(VAR.resolve() / "postgres") as server,
            server.database("log") as name,
        ):
            os.environ["DATABASE_URL"] = server.url(name)
            for name, lines in (("tenth", options.lines // 10), ("whole", options.lines)):
                found[name] = _measured(VAR / f"{name}.jsonl", lines)
    finally:
        shutil.rmtree(VAR)
    _publish(found)


def _measured(log: Path, lines: int) -> dict[str, Any]:
    _write(log, lines)
    print(f"{log} made, {log.stat().st_size / 2**20:,.0f} MiB", file=sys.stderr, flush=True)
    found = _measure(log) | {"lines": lines}
    log.unlink()
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def _write(path: Path, lines: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text in _texts(random.Random(16), lines):
            file.write(json.dumps({"prompt": text}) + "\n")


def _texts(chance: random.Random, lines: int) -> Iterator[str]:
    earlier: list[list[str]] = []
    for _ in range(lines):
        kind = chance.random()
        if kind < 0.05:
            yield chance.choice(_ELSE).format(chance.randrange(10**7))
        elif kind < 0.2 and earlier:
            words = list(chance.choice(earlier))
            if kind < 0.15:
                words[chance.randrange(len(words))] = chance.choice(_WORDS["how"])
            yield " ".join(words)
        else:
            words = _phrase(chance)
            if len(earlier) < 5_000:
                earlier.append(words)
            elif kind < 0.25:
                earlier[chance.randrange(5_000)] = words
            end = f", {chance.choice(_ENGINEERING)}" if kind > 0.7 else ""
            yield " ".join(words) + end


def _phrase(chance: random.Random) -> list[str]:
    """A prompt of one to three scenes, 5 to 40 words."""
    scenes = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        things = [f"{chance.choice(_WORDS['how'])} {chance.choice(_WORDS['what'])}" for _ in "ab"]
        scene = f"a {chance.choice(_WORDS['how'])} {chance.choice(_WORDS['who'])} "
        scene += f"{chance.choice(_WORDS['does'])} a {things[0]} {chance.choice(_WORDS['where'])}"
        if chance.random() < 0.5:
            scene += f" with a {things[1]}"
        scenes.append(scene)
    return f"{chance.choice(_WORDS['look'])} of {' and '.join(scenes)}".split()


def _measure(log: Path) -> dict[str, Any]:
    out = subprocess.run(
        [sys.executable, "-m", "tests.promptsets.bench_log", f"--build={log}"],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


def _build(path: Path) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    folder = path.with_suffix(".build")
    held = _Held(folder)
    stages = _watched()
    start, cpu = time.perf_counter(), time.process_time()
    held.start()
    call_command("build_prompt_set", path, name=path.stem, out=folder, stdout=sys.stderr)
    ends = time.perf_counter()
    cpu = time.process_time() - cpu
    held.ended.set()
    held.join()
    dropped = sum(1 for _ in (folder / "dropped.jsonl").open("rb"))
    funnel = json.loads((folder / "funnel.json").read_text(encoding="utf-8"))
    assert dropped + funnel["prompts"] == funnel["lines"], "a line has no reason"
    shutil.rmtree(folder)
    begun = [*stages.values(), ends]
    return {
        "seconds": ends - start, "cpu_s": cpu, "peak_mib": held.memory / 2**20,
        "disk_mib": held.disk / 2**20, "funnel": funnel["steps"],
        "stages": {what: begun[at + 1] - begun[at] for at, what in enumerate(stages)},
    }  # fmt: skip


def _watched() -> dict[str, float]:
    """When each stage of the command begins, filled as it says so."""
    from evalplatform.promptsets.management.commands import build_prompt_set as command

    begun: dict[str, float] = {}
    real = command.build_prompt_set

    def watched(*, say: Any, **given: Any) -> Any:
        def both(what: str, share: float) -> None:
            begun.setdefault(what, time.perf_counter())
            say(what, share)

        return real(say=both, **given)

    command.build_prompt_set = watched
    return begun


class _Held(threading.Thread):
    """The most of memory of its own, and of disk, that this process was seen to hold, in bytes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self.ended = threading.Event()
        self.memory = self.disk = 0

    def run(self) -> None:
        while not self.ended.wait(0.2):
            told = Path("/proc/self/status").read_text()
            self.memory = max(self.memory, int(told.split("RssAnon:")[1].split()[0]) * 1024)
            sizes = [_size(each) for each in self._folder.rglob("*")]
            self.disk = max(self.disk, sum(sizes))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _publish(found: dict[str, dict[str, Any]]) -> None:
    print(f"{'':8}{'lines':>12}{'seconds':>10}{'CPU s':>8}{'lines/s':>10}{'peak MiB':>10}"
          f"{'disk MiB':>10}")  # fmt: skip
    for name, row in found.items():
        print(f"{name:8}{row['lines']:>12,}{row['seconds']:>10.0f}{row['cpu_s']:>8.0f}"
              f"{row['lines'] / row['seconds']:>10,.0f}{row['peak_mib']:>10.0f}"
              f"{row['disk_mib']:>10.0f}")  # fmt: skip
    whole, tenth = found["whole"], found["tenth"]
    for step in whole["funnel"]:
        print(f"  {step}")
    print(f"  {'seconds of':44}{'tenth':>8}{'whole':>8}")
    for stage, seconds in whole["stages"].items():
        print(f"  {stage:44}{tenth['stages'][stage]:>8.0f}{seconds:>8.0f}")
    line = {
        "lines": whole["lines"],
        "lines_per_s": round(whole["lines"] / whole["seconds"]),
        "seconds": round(whole["seconds"]),
        "cpu_s": round(whole["cpu_s"]),
        "peak_mib": round(whole["peak_mib"]),
        "disk_mib": round(whole["disk_mib"]),
        "stages_s": {stage: round(seconds) for stage, seconds in whole["stages"].items()},
        "of_a_tenth": {
            "lines_per_s": round(tenth["lines"] / tenth["seconds"]),
            "seconds": round(tenth["seconds"]),
            "cpu_s": round(tenth["cpu_s"]),
            "peak_mib": round(tenth["peak_mib"]),
            "disk_mib": round(tenth["disk_mib"]),
            "stages_s": {stage: round(seconds) for stage, seconds in tenth["stages"].items()},
        },
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }
    if whole["lines"] == LINES:
        kept = RESULTS / f"log-{os.cpu_count()}core.json"
        kept.write_text(json.dumps(line, indent=1) + "\n", encoding="utf-8")
        print(f"Kept in {kept}.")
    print("\n" + json.dumps(line))


if __name__ == "__main__":
    main()
