"""The models of the study: a parent, and what the same number of steps makes of it in five ways."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models_backend.configuration.loops import LoopConfig
from models_backend.configuration.tuning import (
    EarlyStoppingConfig,
    FinetuneConfig,
    StyleTailorConfig,
    TuneConfig,
)
from models_backend.data.manifest import Record
from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically
from models_backend.runs.running import train
from models_backend.runs.training_run import TrainingRun
from models_backend.studies.quality_tuning.holdout import HeldOutPictures

_MEASURED_AT_THE_END = EarlyStoppingConfig(candidates=0)


@dataclass(frozen=True)
class Sets:
    """The two lists that all models are tuned on."""

    content: Path
    style: Path
    content_images: int
    style_images: int


def write_sets(held: HeldOutPictures, out: Path, *, style_images: int, seed: int) -> Sets:
    """Write a content set and a style set beside each other.

    Style is a few of the hand-picked drawings. Content is one other drawing of every thing, in any
    style: it shows what its caption says, however it looks.

    Raises:
        InputError: the list has fewer drawings.
    """
    rng = random.Random(seed)
    if style_images > len(held.tuning):
        raise InputError(
            f"--style-images {style_images}: the tuning list has {len(held.tuning)} drawings that "
            "are not held out"
        )
    style = rng.sample(held.tuning, style_images)
    taken = {record.file for record in style}
    by_concept: dict[str, list[Record]] = {}
    for record in held.training:
        if record.file not in taken:
            by_concept.setdefault(record.concept, []).append(record)
    content = [rng.choice(by_concept[concept]) for concept in sorted(by_concept)]
    for name, records in (("content", content), ("style", style)):
        rows = "".join(f"{record.style}\t{record.concept}\n" for record in records)
        write_bytes_atomically(out / f"{name}.tsv", rows.encode())
    return Sets(out / "content.tsv", out / "style.tsv", len(content), len(style))


def tune_all(
    parent: Path, data: Path, sets: Sets, out: Path, *, steps: int, splits: Sequence[float],
    batch_size: int, seed: int,
) -> dict[str, Path]:  # fmt: skip
    """Tune or find each model; return checkpoint directories by name, the parent first.

    Each has `steps` steps of one batch size and learning rate; the sequential one half of them on
    each set.
    """
    style, content = str(sets.style), str(sets.content)

    def loop(count: int) -> LoopConfig:
        return LoopConfig(
            steps=count, batch_size=batch_size, learning_rate=1e-4,
            warmup_steps=min(20, count // 5), save_every=max(1, count // 2), ema_decay=0.9,
        )  # fmt: skip

    def run(config: TuneConfig, start: Path) -> Path:
        return train(TrainingRun(config, data, out / config.name, start), fresh=False)

    def finetune(name: str, listed: str, count: int, start: Path) -> Path:
        config = FinetuneConfig(
            name=name, tuning_list=listed, training=loop(count), seed=seed, role="quality_tuned"
        )
        return run(config, start)

    found = {"parent": parent, "style alone": finetune("style-alone", style, steps, parent)}
    first = finetune("content-first", content, steps // 2, parent)
    found["content, then style"] = finetune("then-style", style, steps - steps // 2, first)
    for split in splits:
        config = StyleTailorConfig(
            name=f"tailored-{round(1000 * split)}", split=split,
            content_list=content, tuning_list=style,
            training=loop(steps), seed=seed, early_stopping=_MEASURED_AT_THE_END,
        )  # fmt: skip
        found[f"tailored at {split:g}"] = run(config, parent)
    return found
