"""Tailor style at several splits, beside style alone and content then style; measure all three.

Usage::

    python -m models_backend.studies.style --parent CHECKPOINT [--data DIR] [--out DIR]

Every model has the same number of steps. The same command goes on after an interruption. `--out`
gets results.json, report.md, trade-off.png and samples.png; the last lines on stdout are the
checkpoint directories, ready for `manage.py register_checkpoint` and one gallery campaign.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from models_backend.checkpoints import sha256_of
from models_backend.data.dataset import load_images
from models_backend.data.manifest import manifest_sha256
from models_backend.errors import InputError, run_cli
from models_backend.files import write_bytes_atomically, write_json_atomically
from models_backend.sampling.contact_sheet import contact_sheet
from models_backend.studies.quality_tuning.holdout import (
    HeldOutPictures,
    hold_out,
    write_training_set,
)
from models_backend.studies.quality_tuning.judge import train_judge
from models_backend.studies.samples import samples_of
from models_backend.studies.style import report
from models_backend.studies.style.models import Sets, tune_all, write_sets
from models_backend.training import run_folder

_SHEET_ROWS = 10


def run(options: argparse.Namespace) -> tuple[str, list[Path]]:
    """Do what is not done yet; return the report and the checkpoint directories.

    Raises:
        InputError: unusable data or parent, or a folder that holds another study.
    """
    out = options.out
    held = hold_out(options.data, options.tuning_list, options.seed)
    needed = [options.data, options.parent]
    identity = _identity(options)
    run_folder.check(out, identity, fresh=options.fresh, resume=False, needed=needed)
    with run_folder.locked(out):
        run_folder.claim(out, identity, fresh=options.fresh)
        data = out / "data"
        write_training_set(held, options.data, data)
        sets = write_sets(held, out, style_images=options.style_images, seed=options.seed)
        models = tune_all(
            options.parent, data, sets, out / "runs", steps=options.steps, splits=options.splits,
            batch_size=options.batch_size, seed=options.seed,
        )  # fmt: skip
        samples = {
            name: samples_of(
                checkpoint, held.captions, each=options.samples, steps=options.sampler_steps,
                seed=options.seed, path=out / "samples" / f"{name.replace(' ', '-')}.npy",
            )
            for name, checkpoint in models.items()
        }  # fmt: skip
        text = _report(options, held, sets, samples)
    return text, list(models.values())


def _identity(options: argparse.Namespace) -> dict[str, Any]:
    names = (
        "steps", "splits", "batch_size", "samples", "sampler_steps", "style_images", "judge_steps",
        "seed", "tuning_list",
    )  # fmt: skip
    return {name: getattr(options, name) for name in names} | {
        "parent_sha256": sha256_of(options.parent),
        "data_manifest_sha256": manifest_sha256(options.data),
    }


def _report(
    options: argparse.Namespace, held: HeldOutPictures, sets: Sets, samples: dict[str, Tensor]
) -> str:
    size = next(iter(samples.values())).shape[-1]
    training = load_images(options.data, held.training, size)
    references = load_images(options.data, held.references, size)
    judge = train_judge(
        training, held.training, steps=options.judge_steps, seed=options.seed, run=options.out
    )
    measured = {
        name: report.measure(images, judge, references, held.tuning_style)
        for name, images in samples.items()
    }
    in_style = [i for i, r in enumerate(held.training) if r.style == held.tuning_style]
    real = report.energies(training[in_style])
    models = report.summarise(measured, real, held.captions, options.seed)
    results = {
        "models": models,
        "front": report.front(models),
        "conclusion": report.conclusion(models),
        "captions": len(held.captions),
        "samples_per_caption": options.samples,
        "steps": options.steps,
        "content_images": sets.content_images,
        "style_images": sets.style_images,
    }
    text = report.render(results)
    write_json_atomically(options.out / "results.json", results)
    write_bytes_atomically(options.out / "report.md", text.encode())
    write_bytes_atomically(options.out / "trade-off.png", report.plot(models))
    write_bytes_atomically(options.out / "samples.png", _sheet(held, references, samples))
    return text


def _sheet(held: HeldOutPictures, references: Tensor, samples: dict[str, Tensor]) -> bytes:
    rows = list(range(0, len(references), max(1, len(references) // _SHEET_ROWS)))[:_SHEET_ROWS]
    columns = {"held-out drawing": references, **samples}
    pictures = {
        (i, column): Image.fromarray(
            images[row * (len(images) // len(references))].permute(1, 2, 0).numpy()
        )
        for column, images in enumerate(columns.values())
        for i, row in enumerate(rows)
    }
    buffer = io.BytesIO()
    contact_sheet([held.captions[row] for row in rows], list(columns), pictures).save(buffer, "PNG")
    return buffer.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.studies.style",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parent", type=Path, required=True, help="checkpoint directory to tune")
    parser.add_argument("--data", type=Path, default=Path("var/data/emoji"))
    parser.add_argument("--out", type=Path, default=Path("var/study-style"))
    parser.add_argument("--splits", type=float, nargs="+", default=[0.6, 0.8, 0.9])
    parser.add_argument("--steps", type=int, default=400, help="training steps a model")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--style-images", type=int, default=24, help="drawings of the style set")
    parser.add_argument("--tuning-list", default="quality_tuning.tsv", help="they are drawn of it")
    parser.add_argument("--judge-steps", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4, help="images a caption and model")
    parser.add_argument("--sampler-steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="discard what --out holds")
    options = parser.parse_args(argv)

    def work() -> None:
        if options.steps < 2 or not 2 <= options.samples <= 100:
            raise InputError(
                f"--steps {options.steps}, --samples {options.samples}: accepted are 2 steps or "
                "more, and 2 to 100 samples, since diversity is of samples of one caption"
            )
        text, checkpoints = run(options)
        print(text)
        print(*checkpoints, sep="\n")

    return run_cli(work)


if __name__ == "__main__":
    sys.exit(main())
