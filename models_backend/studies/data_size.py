"""How much does the number of tuning images matter? Quality-tune on nested random subsets.

Emu compares 0, 100, 1000 and 2000 images; the default sizes are the same shares of the list at hand
(0, 1/20, 1/2, all). Everything else is equal: parent, settings, seed. Size 0 is the parent itself.

Usage::

    python -m models_backend.studies.data_size TUNE.toml --data DIR --parent CHECKPOINT --out DIR

The last lines on stdout are the checkpoint directories, smallest set first, ready for
`manage.py register_checkpoint`. Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from models_backend.checkpoints import read_metadata
from models_backend.data.manifest import read_records
from models_backend.data.tuning import pick
from models_backend.errors import InputError, run_cli
from models_backend.train import Job, is_main_process, train
from models_backend.training.config import QualityTuneConfig, read_config

PAPER_SIZES = (0, 100, 1000, 2000)
"""Emu, the ablation by data size: the last is the whole set."""


def scaled_sizes(available: int) -> list[int]:
    """Return the paper's sizes as shares of `available` images, rounded, at least 1 but for 0."""
    largest = PAPER_SIZES[-1]
    sizes = {max(1, round(available * size / largest)) if size else 0 for size in PAPER_SIZES}
    return sorted(sizes)


def ablate(
    config: QualityTuneConfig, *, data: Path, parent: Path, out: Path, sizes: Sequence[int]
) -> list[Path]:
    """Tune on each size; return the checkpoint directories in the order of `sizes`.

    Raises:
        InputError: a size the list cannot give; and what :func:`models_backend.train.train` raises.
    """
    available = len(pick(read_records(data), config.tuning_list))
    for size in sizes:
        if not 0 <= size <= available:
            raise InputError(f"--sizes {size}: the tuning list names {available} images")
    read_metadata(parent)
    folders = []
    for size in sizes:
        if not size:
            folders.append(parent)
            continue
        name = f"{config.name}-{size}"
        smaller = dataclasses.replace(config, name=name, tuning_images=size)
        folders.append(train(Job(smaller, data, out / name, parent), fresh=False))
    return folders


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.studies.data_size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="TOML file of a quality_tune run")
    parser.add_argument("--data", type=Path, default=Path("var/data/emoji"), help="data set")
    parser.add_argument("--parent", type=Path, required=True, help="checkpoint directory to tune")
    parser.add_argument("--out", type=Path, default=Path("var/runs/ablation"), help="folder")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of images (default: scaled)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(argv)

    def run() -> None:
        config = read_config(options.config, options.set)
        if not isinstance(config, QualityTuneConfig):
            raise InputError(f"{options.config}: recipe {config.recipe!r}: give a quality_tune one")
        sizes = options.sizes
        if not sizes:
            sizes = scaled_sizes(len(pick(read_records(options.data), config.tuning_list)))
        folders = ablate(
            config, data=options.data, parent=options.parent, out=options.out,
            sizes=sorted(set(sizes)),
        )  # fmt: skip
        if is_main_process():
            print(*folders, sep="\n")

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
