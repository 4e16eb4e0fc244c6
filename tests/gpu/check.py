"""One prepared run of at most ten minutes on one GPU, without network: does all of it work there?

    python -m tests.gpu.check [--out FOLDER] [--only STEP ...] [--minutes 9.5]
    python -m tests.gpu.check --cpu            every step at a tiny size, on a CPU: a rehearsal

Each step is a process with a time limit; one that fails or hangs stops no other. The results, with
card and code version, go to `gpu-CARD.json` in FOLDER (bench/results), the steps' logs to var/.
Exit status: 0, 1 where a step failed, 2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_backend.files import write_bytes_atomically
from models_backend.training.run_folder import code_version, now
from tests.gpu import programs

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results"
LOGS = ROOT / "var" / "gpu-check"
_MERCY = 15.0  # seconds from the interrupt to the kill
_PATIENCE = 4  # a rehearsal shares two cores with other programs
NO_GPU = "no GPU here: nothing was checked (--cpu rehearses every step on the CPU)"


@dataclass(frozen=True)
class Step:
    """A function of this package, and the seconds it may take."""

    module: str
    name: str
    limit: float


STEPS = (
    Step("training", "first_step", 75),
    Step("training", "resume", 75),
    Step("training", "stream", 75),
    Step("training", "tune", 75),
    Step("speed", "mfu", 150),
    Step("speed", "sampling", 60),
    Step("speed", "out_of_memory", 90),
    Step("speed", "worker", 180),
)


def run(
    steps: list[Step], *, cpu: bool, out: Path, logs: Path, seconds: float
) -> tuple[Path, bool]:
    """Run steps until the time is over; return the file of results and whether all went well."""
    card = describe(cpu)
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    results: dict[str, Any] = {
        "card": card, "code_version": version(), "started_at": now(), "rehearsal": cpu, "steps": {},
    }  # fmt: skip
    path = out / f"gpu-{slug(card['name'])}.json"
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        for group in _groups(steps, cpu):
            limit = sum(step.limit for step in group) * (_PATIENCE if cpu else 1)
            limit = min(limit, deadline - time.monotonic())
            for name, found in _run(group, Path(folder), logs, limit, cpu).items():
                results["steps"][name] = found
                print(f"{name:14} {_in_a_line(found)}", flush=True)
            write_bytes_atomically(path, (json.dumps(results, indent=1) + "\n").encode())
    return path, not any("failed" in found for found in results["steps"].values())


def _groups(steps: list[Step], cpu: bool) -> list[list[Step]]:
    """Return what shares a process: on a GPU nothing, in a rehearsal what starts slowly alike."""
    if not cpu:
        return [[step] for step in steps]
    apart = [[step] for step in steps if step.name == "worker"]
    modules = dict.fromkeys(step.module for step in steps if step.name != "worker")
    together = [[s for s in steps if s.module == m and s.name != "worker"] for m in modules]
    return together + apart


def _run(
    group: list[Step], folder: Path, logs: Path, limit: float, cpu: bool
) -> dict[str, dict[str, Any]]:
    """Run steps in a process group of their own; end all of it when its time is over."""
    names = [step.name for step in group]
    if limit < 1:
        return {name: {"failed": "no time was left"} for name in names}
    log = logs / f"{names[0]}.log"
    command = programs.command("tests.gpu.check", "--step", *names, "--folder", folder)
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, *(["--cpu"] if cpu else [])], cwd=ROOT, env=environment(cpu),
            stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        # What is done by now: a step that is late may go on until it hears that it is to end.
        done = [name for name in names if (folder / f"{name}.json").is_file()]
        _end_group(process)
    why = f"over its {limit:.0f} s" if status is None else f"ended with status {status}"
    answers = {}
    for name in names:
        if name in done:
            answers[name] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        else:
            answers[name] = {"failed": f"{why}: {_last_line(log)}"}
    return answers


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what a step has left running: its own children, and nothing else's.

    Interrupted first: a step that has a database running stops it then.
    """
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(_MERCY)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")


def _in_a_line(found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"FAILED {found['failed']}"
    return f"ok {found['seconds']:6.1f} s  {json.dumps(found['found'])[:400]}"


def environment(cpu: bool) -> dict[str, str]:
    """Return the variables of a step: the project is found, the network not asked."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    chosen = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    hidden = {
        "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    hidden = hidden if cpu else {}
    return os.environ | chosen | hidden


def describe(cpu: bool) -> dict[str, Any]:
    """Return name, memory, driver and versions, asked in a process that then lets the card go."""
    code = (
        "import gc; gc.disable(); import json, platform, torch; on = torch.cuda.is_available(); "
        "print(json.dumps({'name': torch.cuda.get_device_name() if on else 'cpu', 'gib': "
        "round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1) if on else None, "
        "'torch': torch.__version__, 'cuda': torch.version.cuda, 'python': "
        "platform.python_version()})); gc.freeze()"  # or it takes as long again to end
    )
    asked = subprocess.run(
        [sys.executable, "-c", code], env=environment(cpu), capture_output=True, text=True
    )
    if asked.returncode:
        raise SystemExit(f"torch cannot be asked for a GPU: {asked.stderr.strip()[-300:]}")
    card: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    if card["name"] == "cpu":
        return card
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    if shutil.which("nvidia-smi"):
        card["driver"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    return card


def version() -> str:
    """Return the commit; in a copy without a repository, the one the bundle was made of."""
    told = Path(os.environ.get("GPU_BUNDLE", "")) / "code_version"
    here = code_version()
    return (
        told.read_text(encoding="utf-8").strip() if here == "unknown" and told.is_file() else here
    )


def slug(name: str) -> str:
    """Return a card's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("nvidia ")).strip("-")


def work(names: list[str], folder: Path, cpu: bool) -> int:
    """Run steps in this process and write what each found."""
    from importlib import import_module

    from tests.gpu.scale import Scale

    for name in names:
        step = next(step for step in STEPS if step.name == name)
        begun = time.monotonic()
        answer: dict[str, Any]
        try:
            function = getattr(import_module(f"tests.gpu.{step.module}"), name)
            answer = {"found": function(Scale(folder, cpu))}
        except Exception as error:
            traceback.print_exc()
            answer = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        answer = {"seconds": round(time.monotonic() - begun, 1)} | answer
        write_bytes_atomically(folder / f"{name}.json", json.dumps(answer).encode())
    gc.freeze()  # as in `describe`
    return 0


def main(argv: list[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    names = [step.name for step in STEPS]
    parser = argparse.ArgumentParser(
        prog="make gpu-check", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cpu", action="store_true", help="rehearse on the CPU, at tiny sizes")
    parser.add_argument("--out", type=Path, help="folder for the results")
    parser.add_argument("--only", nargs="+", choices=names, metavar="STEP", help=", ".join(names))
    parser.add_argument(
        "--minutes", type=float, help="for all steps together: 9.5, or 40 with --cpu"
    )
    parser.add_argument("--step", nargs="+", choices=names, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.step:
        return work(options.step, options.folder, options.cpu)
    if not options.cpu and describe(cpu=False)["name"] == "cpu":
        print(NO_GPU, file=sys.stderr)
        return 2
    minutes = options.minutes or (40 if options.cpu else 9.5)
    out = options.out or (LOGS if options.cpu else RESULTS)
    logs = (options.out or LOGS) / "logs"
    steps = [step for step in STEPS if not options.only or step.name in options.only]
    path, well = run(steps, cpu=options.cpu, out=out, logs=logs, seconds=minutes * 60)
    print(path)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
