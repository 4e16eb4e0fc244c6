"""Quality-tune models and judge them on held-out captions.

Usage::

    python -m models_backend.studies.quality_tuning --family FAMILY [--parent CHECKPOINT]
    python -m models_backend.studies.quality_tuning [--data DIR] [--out DIR] [--minutes 25]
    python -m models_backend.studies.quality_tuning --checkpoints PRETRAINED QUALITY_TUNED BASELINE

With --family a parent, the recorded one of that family if none is given, is tuned by its
configuration (--tune, --set) on what is not held out. Without it three latent models are trained in
--minutes: the steps are planned from a few timed ones and kept. With --checkpoints nothing but the
judge is trained. The same command goes on after an interruption. `--out` gets results.json,
report.md and samples.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from models_backend.checkpoints import read_metadata
from models_backend.configuration.tuning import QualityTuneConfig
from models_backend.data.dataset import load_images
from models_backend.data.manifest import manifest_sha256
from models_backend.errors import InputError, run_cli
from models_backend.files import read_json, write_bytes_atomically, write_json_atomically
from models_backend.studies.quality_tuning import report
from models_backend.studies.quality_tuning.holdout import (
    HeldOutPictures,
    hold_out,
    write_training_set,
)
from models_backend.studies.quality_tuning.judge import train_judge
from models_backend.studies.quality_tuning.training import (
    ROLES,
    plan_steps,
    train_models,
    tune_parent,
)
from models_backend.studies.recorded import FAMILIES, check_parent, quality_tuning, start_of
from models_backend.studies.samples import samples_of
from models_backend.training import run_folder


def run(options: argparse.Namespace) -> str:
    """Do what is not done yet and return the report.

    Raises:
        InputError: unusable data or checkpoints, or a folder that holds another study.
    """
    start = _family_start(options) if options.family else None
    held = hold_out(options.data, options.tuning_list, options.seed)
    identity = _identity(options, start)
    out = options.out
    needed = [options.data, *(options.checkpoints or []), *([start[0]] if start else [])]
    run_folder.check(out, identity, fresh=options.fresh, resume=False, needed=needed)
    with run_folder.locked(out):
        run_folder.claim(out, identity, fresh=options.fresh)
        steps = _planned_steps(options, start)
        checkpoints = _checkpoints(options, held, steps, start)
        size = read_metadata(checkpoints["pretrained"])["image_size"][0]
        training = load_images(options.data, held.training, size)
        references = load_images(options.data, held.references, size)
        judge = train_judge(
            training, held.training, steps=steps["judge"], seed=options.seed, run=out
        )
        samples = {
            role: samples_of(
                checkpoint, held.captions, each=options.samples, steps=options.steps,
                seed=options.seed, path=out / "samples" / f"{role}.npy",
            )
            for role, checkpoint in checkpoints.items()
        }  # fmt: skip
        measured = {
            role: report.measure(images, judge, held, references)
            for role, images in samples.items()
        }
        results = report.compare(measured, held.captions, options.seed) | {
            "judge": report.judge_the_judge(judge, held, references, training),
            "faithfulness": report.faithfulness_beside_chance(measured, held.captions),
            "family": str(read_metadata(checkpoints["pretrained"])["family"]),
            "captions": len(held.captions),
            "samples_per_caption": options.samples,
            "budget": _budget(options, steps),
            "steps": steps,
            "checkpoints": {r: read_metadata(p)["sha256"] for r, p in checkpoints.items()},
            "references_were_trained_on": bool(options.checkpoints or options.family),
            "environment": read_json(out / run_folder.ENVIRONMENT_FILE),
        }
        return _write(results, held, references, samples, out)


_FamilyStart = tuple[Path, QualityTuneConfig]


def _family_start(options: argparse.Namespace) -> _FamilyStart:
    """Return the parent and how it is tuned."""
    start = start_of(options.family)
    parent = options.parent or start.parent
    check_parent(parent, options.family)
    return parent, quality_tuning(options.tune or start.config, options.set)


def _identity(options: argparse.Namespace, start: _FamilyStart | None) -> dict[str, Any]:
    given = [read_metadata(path)["sha256"] for path in options.checkpoints or []]
    tuned = {}
    if start is not None:
        sha256 = read_metadata(start[0])["sha256"]
        tuned = {"parent_sha256": sha256, "tuning": dataclasses.asdict(start[1])}
    return tuned | {
        "minutes": None if given or tuned else options.minutes,
        "judge_steps": options.judge_steps,
        "checkpoints": given,
        "samples": options.samples,
        "sampler_steps": options.steps,
        "seed": options.seed,
        "tuning_list": options.tuning_list,
        "data_manifest_sha256": manifest_sha256(options.data),
    }


def _planned_steps(options: argparse.Namespace, start: _FamilyStart | None) -> dict[str, int]:
    """Return the steps of each part; planned once, then kept."""
    path = options.out / "steps.json"
    if not path.exists():
        steps = {}
        if start is not None:
            steps = {"tuning": start[1].training.steps}
        elif not options.checkpoints:
            steps = plan_steps(options.minutes)
        if options.judge_steps:
            steps["judge"] = options.judge_steps
        write_json_atomically(path, {"judge": 1000} | steps)
    return read_json(path)


def _checkpoints(
    options: argparse.Namespace,
    held: HeldOutPictures,
    steps: dict[str, int],
    start: _FamilyStart | None,
) -> dict[str, Path]:
    """Return checkpoint directories by role."""
    if options.checkpoints:
        return dict(zip(ROLES, options.checkpoints, strict=True))
    data = options.out / "data"
    tuning_list = write_training_set(held, options.data, data)
    if start is not None:
        return tune_parent(*start, data, tuning_list, options.out / "runs")
    return train_models(data, tuning_list, steps, options.out / "runs")


def _budget(options: argparse.Namespace, steps: dict[str, int]) -> str:
    if options.checkpoints:
        return "checkpoints as given"
    if options.family:
        return f"a parent of the family {options.family} as given, tuned {steps['tuning']} steps"
    parts = ", ".join(f"{part} {count}" for part, count in steps.items())
    return f"planned for {options.minutes:g} minutes (steps: {parts})"


def _write(
    results: dict[str, Any],
    held: HeldOutPictures,
    references: Tensor,
    samples: dict[str, Tensor],
    out: Path,
) -> str:
    text = report.render(results)
    results["conclusion"] = report.conclusion(results)
    write_json_atomically(out / "results.json", results)
    write_bytes_atomically(out / "report.md", text.encode())
    write_bytes_atomically(out / "samples.png", report.sheet(held, references, samples))
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.studies.quality_tuning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("var/data/emoji"))
    parser.add_argument("--out", type=Path, help="folder (default: var/study, or by the family)")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--minutes", type=float, default=25.0, help="time for all of it")
    asked.add_argument("--family", choices=FAMILIES, help="tune and judge one family's parent")
    asked.add_argument(
        "--checkpoints", type=Path, nargs=3, metavar=("PRETRAINED", "QUALITY_TUNED", "BASELINE")
    )
    family = parser.add_argument_group("with --family")
    family.add_argument("--parent", type=Path, help="checkpoint directory (default: the recorded)")
    family.add_argument("--tune", type=Path, metavar="TOML", help="how (default: the family's)")
    family.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--tuning-list", default="quality_tuning.tsv")
    parser.add_argument("--judge-steps", type=int, default=0, help="0: by the time there is")
    parser.add_argument("--samples", type=int, default=2, help="images a caption and model")
    parser.add_argument("--steps", type=int, default=30, help="sampling steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="discard what --out holds")
    options = parser.parse_args(argv)

    def work() -> None:
        if not 0 < options.minutes <= 10_000 or not 1 <= options.samples <= 100:
            raise InputError(
                f"--minutes {options.minutes:g}, --samples {options.samples}: accepted are up to "
                "10000 and 1 to 100"
            )
        if not options.family and (options.parent or options.tune or options.set):
            raise InputError("--parent, --tune and --set are for --family; give that too")
        suffix = f"-{options.family}" if options.family else ""
        options.out = options.out or Path(f"var/study{suffix}")
        print(run(options))

    return run_cli(work)


if __name__ == "__main__":
    sys.exit(main())
