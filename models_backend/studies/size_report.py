"""What the data-size study measures of each size, on captions that nothing was tuned on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_backend.checkpoints import read_metadata, sha256_of
from models_backend.data.dataset import load_images
from models_backend.files import write_bytes_atomically, write_json_atomically
from models_backend.studies.quality_tuning import report
from models_backend.studies.quality_tuning.holdout import HeldOutPictures
from models_backend.studies.quality_tuning.judge import train_judge
from models_backend.studies.samples import samples_of


@dataclass(frozen=True)
class Judging:
    """How checkpoints are judged."""

    samples: int
    """Images a caption and checkpoint."""
    steps: int
    """Of the sampler."""
    judge_steps: int
    seed: int


def measure_sizes(
    checkpoints: Mapping[str, Path],
    held: HeldOutPictures,
    *,
    data: Path,
    out: Path,
    how: Judging,
) -> str:
    """Judge checkpoints of one family, by name and the parent first; return and keep the report.

    `out` gets results.json, report.md and samples.png, and keeps judge and samples for the next
    time. `data` holds what was held out, too.

    Raises:
        InputError: pictures that cannot be read.
    """
    parent, *sizes = checkpoints
    side = read_metadata(checkpoints[parent])["image_size"][0]
    training = load_images(data, held.training, side)
    references = load_images(data, held.references, side)
    judge = train_judge(
        training, held.training, steps=how.judge_steps, seed=how.seed,
        run=out.parent / f"judge-{side}-{how.judge_steps}-{how.seed}",
    )  # fmt: skip
    samples = {
        name: samples_of(
            checkpoint, held.captions, each=how.samples, steps=how.steps, seed=how.seed,
            path=out / "samples" / _kept_as(name, checkpoint, how),
        )
        for name, checkpoint in checkpoints.items()
    }  # fmt: skip
    measured = {
        name: report.measure(images, judge, held, references) for name, images in samples.items()
    }
    pairs = [(name, parent) for name in sizes] + list(zip(sizes[1:], sizes, strict=False))
    results = report.compare(measured, held.captions, how.seed, pairs) | {
        "captions": len(held.captions),
        "samples_per_caption": how.samples,
        "sampler_steps": how.steps,
        "checkpoints": {name: _facts(path) for name, path in checkpoints.items()},
    }
    text = _rendered(results)
    write_json_atomically(out / "results.json", results)
    write_bytes_atomically(out / "report.md", text.encode())
    write_bytes_atomically(out / "samples.png", report.sheet(held, references, samples))
    return text


def _kept_as(name: str, checkpoint: Path, how: Judging) -> str:
    return f"{name}-{sha256_of(checkpoint)[:12]}-{how.samples}x{how.steps}.npy"


def _facts(checkpoint: Path) -> dict[str, Any]:
    metadata = read_metadata(checkpoint)
    stopped = metadata["training"].get("early_stopping", {})
    return {
        "sha256": metadata["sha256"],
        "picked_step": stopped.get("picked_step"),
        "none_fits": stopped.get("none_fits", False),
    }


def _rendered(results: dict[str, Any]) -> str:
    steps = ", ".join(
        f"{name} {each['picked_step']}" + (" (none fits the rule)" if each["none_fits"] else "")
        for name, each in results["checkpoints"].items()
        if each["picked_step"] is not None
    )
    lines = [
        *report.tables(results),
        "",
        *(f"- {name}: {meaning}" for name, meaning in report.MEASURES.items()),
        "",
        f"{results['captions']} held-out captions, {results['samples_per_caption']} samples each, "
        f"{results['sampler_steps']} sampling steps. Intervals are 95 %, over captions; they cover "
        "neither other training seeds nor another choice of images. The style is a proxy: people "
        "were not asked. The parent may have been trained on the drawings used as references here.",
    ]
    if steps:
        lines.append(f"Steps that early stopping picked: {steps}.")
    return "\n".join(lines) + "\n"
