"""How much does the number of tuning images matter? Quality-tune on nested random subsets.

Emu compares 0, 100, 1000 and 2000 images; the default sizes are the same shares of the list at hand
(0, 1/20, 1/2, all). Everything else is equal: parent, settings, seed. Size 0 is the parent itself.

Usage::

    python -m models_backend.studies.data_size TUNE.toml --data DIR --parent CHECKPOINT --out DIR
    python -m models_backend.studies.data_size --family FAMILY [FAMILY ...] --data DIR --out DIR

With --family each starts from its recorded run, or from --parent where one is named. With --measure
a drawing of every third thing is held out, and each size is judged by what it draws of these: the
folder of the family in --out gets report.md, results.json and samples.png. The lines on stdout are
the checkpoint directories, smallest set first, ready for `manage.py register_checkpoint` and one
gallery campaign; how is said on stderr. Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from models_backend.checkpoints import read_metadata, sha256_of
from models_backend.configuration.tuning import QualityTuneConfig
from models_backend.data.manifest import read_records
from models_backend.data.tuning import pick
from models_backend.errors import InputError, run_cli
from models_backend.runs.processes import is_main_process
from models_backend.runs.running import train
from models_backend.runs.training_run import TrainingRun
from models_backend.studies.gallery import next_commands
from models_backend.studies.quality_tuning.holdout import (
    HeldOutPictures,
    hold_out,
    write_training_set,
)
from models_backend.studies.recorded import (
    FAMILIES,
    RecordedStart,
    check_parent,
    quality_tuning,
    start_of,
)
from models_backend.studies.size_report import Judging, measure_sizes

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
    """Tune on each size, smallest first; return the checkpoint directories.

    No sizes are the paper's, scaled to the list.

    Raises:
        InputError: a size the list cannot give, and what `runs.running.train` raises.
    """
    available = len(pick(read_records(data), config.tuning_list))
    for size in sizes:
        if not 0 <= size <= available:
            raise InputError(f"--sizes {size}: the tuning list names {available} images")
    sha256_of(parent)
    folders = []
    for size in sorted(set(sizes or scaled_sizes(available))):
        if not size:
            folders.append(parent)
            continue
        name = f"{config.name}-{size}"
        smaller = dataclasses.replace(config, name=name, tuning_images=size)
        folders.append(train(TrainingRun(smaller, data, out / name, parent), fresh=False))
    return folders


def _starts(options: argparse.Namespace) -> list[RecordedStart]:
    """Return what is tuned, by family in the order given; all is checked before anything trains."""
    if bool(options.config) == bool(options.family):
        raise InputError("give a TOML file of a quality_tune run, or --family, not both")
    if options.config:
        if options.parent is None:
            raise InputError(f"{options.config}: give --parent, the checkpoint directory to tune")
        return [RecordedStart(options.parent, options.config)]
    families = list(dict.fromkeys(options.family))
    if options.parent and len(families) > 1:
        raise InputError(f"--parent is of one family; {len(families)} are asked for")
    starts = []
    for family in families:
        start = start_of(family)
        start = dataclasses.replace(start, parent=options.parent or start.parent)
        check_parent(start.parent, family)
        starts.append(start)
    return starts


def _run(options: argparse.Namespace) -> None:
    configured = [(start, quality_tuning(start.config, options.set)) for start in _starts(options)]
    held, data = None, options.data
    if options.measure:
        held = _held_out(options, [config for _, config in configured])
        data = options.out / f"data-{options.seed}"
        listed = str(write_training_set(held, options.data, data))
        configured = [
            (start, dataclasses.replace(config, tuning_list=listed)) for start, config in configured
        ]
    galleries = []
    for start, config in configured:
        folders = ablate(
            config, data=data, parent=start.parent, out=options.out, sizes=options.sizes or ()
        )
        galleries.append(folders)
        if held is not None and is_main_process():
            print(_measured(options, start.parent, folders, held), file=sys.stderr)
    if is_main_process():
        for folders in galleries:
            print(f"one gallery:\n{next_commands(folders)}", file=sys.stderr)
        print(*(folder for folders in galleries for folder in folders), sep="\n")


def _held_out(options: argparse.Namespace, configs: Sequence[QualityTuneConfig]) -> HeldOutPictures:
    lists = {config.tuning_list for config in configs}
    if len(lists) > 1 or not all(lists):
        raise InputError(
            "--measure holds drawings out of one tuning_list, which all families are tuned on; "
            "give it by --set tuning_list=FILE"
        )
    (tuning_list,) = lists
    return hold_out(options.data, tuning_list, options.seed)


def _measured(
    options: argparse.Namespace, parent: Path, folders: Sequence[Path], held: HeldOutPictures
) -> str:
    """Judge the sizes of one family beside the parent; return the report."""
    metadata = {folder: read_metadata(folder) for folder in [parent, *folders]}
    named = {"0": parent} | {
        str(metadata[folder]["training"]["images"]): folder
        for folder in folders
        if folder != parent
    }
    how = Judging(options.samples, options.steps, options.judge_steps, options.seed)
    out = options.out / str(metadata[parent]["family"])
    return measure_sizes(named, held, data=options.data, out=out, how=how)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.studies.data_size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, nargs="?", help="TOML file of a quality_tune run")
    parser.add_argument("--family", nargs="+", choices=FAMILIES, help="instead of a TOML file")
    parser.add_argument("--data", type=Path, default=Path("var/data/emoji"), help="data set")
    parser.add_argument("--parent", type=Path, help="checkpoint directory to tune")
    parser.add_argument("--out", type=Path, default=Path("var/runs/ablation"), help="folder")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of images (default: scaled)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    judged = parser.add_argument_group("what each size draws")
    judged.add_argument("--measure", action="store_true", help="judge it on held-out captions")
    judged.add_argument("--samples", type=int, default=2, help="images a caption and size")
    judged.add_argument("--steps", type=int, default=16, help="sampling steps")
    judged.add_argument("--judge-steps", type=int, default=800)
    judged.add_argument("--seed", type=int, default=0, help="of what is held out, and the judge")
    options = parser.parse_args(argv)
    return run_cli(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
