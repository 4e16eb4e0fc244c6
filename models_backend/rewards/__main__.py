"""Measure a reward model on a preference set, and place new images by it.

Usage::

    python -m models_backend.rewards evaluate REWARD --data PREFERENCES [--split test] [--json FILE]
    python -m models_backend.rewards insert REWARD ... --data PREFERENCES --images LIST --out DIR
    python -m models_backend.rewards agree --placements FILE --data PREFERENCES

A reward is trained by `python -m models_backend.train` with `recipe = "reward"`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from models_backend.errors import run_cli
from models_backend.files import write_json_atomically
from models_backend.preferences.prompts import SPLITS
from models_backend.preferences.reading import PreferenceSet
from models_backend.rewards.evaluation import evaluate, table
from models_backend.rewards.expanding import expand_set, read_newcomers
from models_backend.rewards.model import RewardModel
from models_backend.rewards.verifying import peoples_agreement, read_placements


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.rewards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("evaluate", help="accuracy beside one person's, and more")
    measure.add_argument("reward", type=Path)
    measure.add_argument("--data", type=Path, required=True, help="a preference set")
    measure.add_argument("--split", choices=SPLITS, default="test")
    measure.add_argument("--json", type=Path, help="write the numbers there as well")
    insert = commands.add_parser("insert", help="put new images among what people ranked")
    insert.add_argument("rewards", type=Path, nargs="+")
    insert.add_argument("--data", type=Path, required=True, help="a preference set")
    insert.add_argument("--images", type=Path, required=True,
                        help="JSON Lines: prompt, model, file")  # fmt: skip
    insert.add_argument("--out", type=Path, required=True, help="an empty folder")
    agree = commands.add_parser("agree", help="how often people place them likewise")
    agree.add_argument("--placements", type=Path, required=True, help="as `insert` writes them")
    agree.add_argument("--data", type=Path, required=True, help="what people said of them")
    options = parser.parse_args(argv)
    verbs = {"evaluate": _evaluate, "insert": _insert, "agree": _agree}
    return run_cli(lambda: verbs[options.command](options))


def _evaluate(options: argparse.Namespace) -> None:
    report = evaluate(
        RewardModel.load(options.reward), PreferenceSet.open(options.data), split=options.split
    )
    if options.json:
        write_json_atomically(options.json, report)
    print(table(report))


def _insert(options: argparse.Namespace) -> None:
    mark = expand_set(
        PreferenceSet.open(options.data),
        [RewardModel.load(each) for each in options.rewards],
        read_newcomers(options.images),
        options.out,
    )
    print(f"{mark['sources'].get('inserted', 0)} inserted pairs in {options.out}")


def _agree(options: argparse.Namespace) -> None:
    found = peoples_agreement(read_placements(options.placements), PreferenceSet.open(options.data))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    sys.exit(main())
