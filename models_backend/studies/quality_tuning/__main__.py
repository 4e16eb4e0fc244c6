"""Train pre-trained, quality-tuned and baseline; judge them on held-out captions.

Usage::

    python -m models_backend.studies.quality_tuning [--data DIR] [--out DIR] [--minutes 25]
    python -m models_backend.studies.quality_tuning --checkpoints PRETRAINED QUALITY_TUNED BASELINE

With --minutes the steps are planned from a few timed ones and kept, so that the same command goes
on after an interruption. With --checkpoints nothing but the judge is trained. `--out` gets
results.json, report.md and samples.png.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models_backend.checkpoints import read_metadata
from models_backend.checkpoints.loading import load_pipeline
from models_backend.data.dataset import load_images
from models_backend.data.manifest import manifest_sha256
from models_backend.errors import InputError, run_cli
from models_backend.families.settings import SamplingSettings
from models_backend.files import read_json, write_bytes_atomically, write_json_atomically
from models_backend.sampling.generate import generate
from models_backend.studies.quality_tuning import report
from models_backend.studies.quality_tuning.holdout import (
    HeldOutPictures,
    hold_out,
    write_training_set,
)
from models_backend.studies.quality_tuning.judge import train_judge
from models_backend.studies.quality_tuning.training import ROLES, plan_steps, train_models
from models_backend.training import run_folder

_BATCH = 16


def run(options: argparse.Namespace) -> str:
    """Do what is not done yet and return the report.

    Raises:
        InputError: unusable data or checkpoints, or a folder that holds another study.
    """
    held = hold_out(options.data, options.tuning_list, options.seed)
    identity = _identity(options)
    out = options.out
    needed = [options.data, *(options.checkpoints or [])]
    run_folder.check(out, identity, fresh=options.fresh, resume=False, needed=needed)
    with run_folder.locked(out):
        run_folder.claim(out, identity, fresh=options.fresh)
        steps = _planned_steps(options)
        checkpoints = _checkpoints(options, held, steps)
        size = read_metadata(checkpoints["pretrained"])["image_size"][0]
        training = load_images(options.data, held.training, size)
        references = load_images(options.data, held.references, size)
        judge = train_judge(
            training, held.training, steps=steps["judge"], seed=options.seed, run=out
        )
        samples = {role: _samples(checkpoints[role], role, held, options) for role in ROLES}
        measured = {
            role: report.measure(images, judge, held, references)
            for role, images in samples.items()
        }
        results = report.compare(measured, held.captions, options.seed) | {
            "judge": report.judge_the_judge(judge, held, references, training),
            "captions": len(held.captions),
            "samples_per_caption": options.samples,
            "budget": _budget(options, steps),
            "steps": steps,
            "checkpoints": {r: read_metadata(p)["sha256"] for r, p in checkpoints.items()},
            "references_were_trained_on": bool(options.checkpoints),
            "environment": read_json(out / run_folder.ENVIRONMENT_FILE),
        }
        return _write(results, held, references, samples, out)


def _identity(options: argparse.Namespace) -> dict[str, Any]:
    given = [read_metadata(path)["sha256"] for path in options.checkpoints or []]
    return {
        "minutes": None if given else options.minutes,
        "judge_steps": options.judge_steps,
        "checkpoints": given,
        "samples": options.samples,
        "sampler_steps": options.steps,
        "seed": options.seed,
        "tuning_list": options.tuning_list,
        "data_manifest_sha256": manifest_sha256(options.data),
    }


def _planned_steps(options: argparse.Namespace) -> dict[str, int]:
    """Return the steps of each part; planned once, then kept."""
    path = options.out / "steps.json"
    if not path.exists():
        steps = {} if options.checkpoints else plan_steps(options.minutes)
        if options.judge_steps:
            steps["judge"] = options.judge_steps
        write_json_atomically(path, {"judge": 1000} | steps)
    return read_json(path)


def _checkpoints(
    options: argparse.Namespace, held: HeldOutPictures, steps: dict[str, int]
) -> dict[str, Path]:
    if options.checkpoints:
        return dict(zip(ROLES, options.checkpoints, strict=True))
    data = options.out / "data"
    tuning_list = write_training_set(held, options.data, data)
    return train_models(data, tuning_list, steps, options.out / "runs")


def _budget(options: argparse.Namespace, steps: dict[str, int]) -> str:
    if options.checkpoints:
        return "checkpoints as given"
    parts = ", ".join(f"{part} {count}" for part, count in steps.items())
    return f"planned for {options.minutes:g} minutes (steps: {parts})"


def _samples(
    checkpoint: Path, role: str, held: HeldOutPictures, options: argparse.Namespace
) -> Tensor:
    """Return the model's samples, (captions * samples, 3, H, W) bytes; made once, then kept."""
    path = options.out / "samples" / f"{role}.npy"
    if not path.exists():
        model = load_pipeline(checkpoint)
        jobs = [
            (caption, options.seed + number * options.samples + repeat)
            for number, caption in enumerate(held.captions)
            for repeat in range(options.samples)
        ]
        settings = SamplingSettings(sampler="default", steps=options.steps)
        images = []
        for start in tqdm(range(0, len(jobs), _BATCH), desc=f"{role:14}", unit="batch"):
            prompts, seeds = zip(*jobs[start : start + _BATCH], strict=True)
            images += generate(model, prompts=prompts, seeds=seeds, settings=settings)
        buffer = io.BytesIO()
        np.save(buffer, np.stack([np.asarray(image) for image in images]))
        write_bytes_atomically(path, buffer.getvalue())
    return torch.from_numpy(np.load(path)).permute(0, 3, 1, 2).contiguous()


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
    parser.add_argument("--out", type=Path, default=Path("var/study"))
    parser.add_argument("--minutes", type=float, default=25.0, help="time for all of it")
    parser.add_argument(
        "--checkpoints", type=Path, nargs=3, metavar=("PRETRAINED", "QUALITY_TUNED", "BASELINE")
    )
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
        print(run(options))

    return run_cli(work)


if __name__ == "__main__":
    sys.exit(main())
