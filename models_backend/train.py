"""Train a checkpoint from a TOML configuration.

Usage::

    python -m models_backend.train CONFIG.toml --data DIR --out DIR [--parent CHECKPOINT]
    accelerate launch --num_processes 8 -m models_backend.train CONFIG.toml ...

Progress goes to stderr; the last line on stdout is the checkpoint directory. Interrupted, the same
command goes on where it stopped; finished, it says so and does nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models_backend.data.curated import folder_of
from models_backend.errors import InputError, run_cli
from models_backend.recipes.configs import read_config
from models_backend.runs.processes import is_main_process, leave_process_group
from models_backend.runs.running import pick_by_hand, train
from models_backend.runs.training_run import TrainingRun


def _chosen(picks: Sequence[str]) -> dict[str, int]:
    """Return the steps that --pick names, by part; "" is the first part."""
    chosen = {}
    for each in picks:
        part, _, step = each.rpartition("=")
        if not step.isdigit():
            raise InputError(f"--pick {each}: give a step, or PART=STEP, e.g. --pick 400")
        chosen[part] = int(step)
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="TOML file, see models_backend/configs/")
    parser.add_argument(
        "--data", type=Path, default=Path("var/data/emoji"), help="data set (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the run (default: var/runs/ and the name)"
    )
    parser.add_argument(
        "--parent", type=Path, help="checkpoint to tune: the trainer's, or a pipeline's"
    )
    parser.add_argument(
        "--tuning", type=Path, metavar="DIR",
        help="curated set to tune on as a whole, instead of tuning_list (docs/curation.md)",
    )  # fmt: skip
    parser.add_argument(
        "--content", type=Path, metavar="DIR",
        help="style_tailor's content set as a folder, instead of content_list",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder for latents and text embeddings (with stages or shards)"
    )
    parser.add_argument("--fresh", action="store_true", help="discard an earlier run in --out")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out; refuse to begin one"
    )
    parser.add_argument(
        "--pick", action="append", default=[], metavar="STEP|PART=STEP",
        help="write this candidate of a tuning run as a checkpoint, by your own judgement",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.fresh and options.resume:
        parser.error("--fresh discards the run --resume would go on with; give one of them")

    def run() -> None:
        config = read_config(options.config, options.set)
        out = options.out or Path("var/runs") / config.name
        job = TrainingRun(config=config, data=options.data, out=out, parent=options.parent,
                  cache=options.cache, tuning=folder_of(config, "tuning_set", options.tuning),
                  content=folder_of(config, "content_set", options.content))  # fmt: skip
        if options.pick:
            checkpoint = pick_by_hand(job, _chosen(options.pick))
        else:
            checkpoint = train(job, fresh=options.fresh, resume=options.resume)
        if is_main_process():
            print(checkpoint)

    try:
        return run_cli(run)
    finally:
        leave_process_group()


if __name__ == "__main__":
    sys.exit(main())
