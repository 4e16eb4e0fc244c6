"""Scores of images, rules over them, and the pool they leave.

Usage::

    python -m models_backend.curation score --data DATA --scorers size,pixels,… --out SCORES
    python -m models_backend.curation select --scores SCORES --data DATA --out POOL
    python -m models_backend.curation plant --data DATA --out FOLDER
    python -m models_backend.curation upscale --data DATA --weights CHECKPOINT --min-side N --out …
    python -m models_backend.curation draw --pool POOL --count N --out DATA
    python -m models_backend.curation recall --data FOLDER --scores SCORES

DATA is a finished data directory, a folder of loose images, of tar or of parquet files, or one
parquet file. Each command goes on where it was interrupted. docs/curation.md tells the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models_backend.errors import InputError, run_cli

DEFAULT_RULES = Path(__file__).parent / "needles.toml"
SCORERS = "size,pixels,duplicates,ocr,offensive,concepts"


def _score(options: argparse.Namespace) -> None:
    from models_backend.curation.scoring import Task, score

    task = Task(
        options.data, options.out, tuple(filter(None, options.scorers.split(","))),
        dict(_option(each) for each in options.options), options.caption_column,
    )  # fmt: skip
    count = score(task, processes=options.processes)
    print(
        f"{count.images} images: {count.scored} scored, {count.known} had all scores, "
        f"{count.unreadable} cannot be read",
        file=sys.stderr,
    )
    print(options.out)


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--with {text}: give SCORER=OPTION, such as appeal=FOLDER")
    return name, value


def _select(options: argparse.Namespace) -> None:
    from models_backend.curation.rules import read_rules
    from models_backend.curation.selecting import apply, write_pool, write_reasons

    selection = apply(options.scores, read_rules(options.rules))
    for stage in selection.funnel["stages"]:
        dropped = ", ".join(f"{rule}: {count}" for rule, count in stage["dropped"].items())
        print(f"{stage['kept']:>10}  {stage['stage']}  ({dropped})", file=sys.stderr)
    for warning in selection.decision.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if options.data is None:
        write_reasons(selection, options.out)
    else:
        write_pool(selection, options.data, options.out, audit=not options.no_audit)
    print(options.out)


def _plant(options: argparse.Namespace) -> None:
    from models_backend.curation.planting import MAKERS, plant

    counts = {kind: getattr(options, kind) for kind in MAKERS}
    told = plant(options.data, options.out, counts, seed=options.seed)
    print(", ".join(f"{count} {kind}" for kind, count in told.items()), file=sys.stderr)
    print(options.out)


def _recall(options: argparse.Namespace) -> None:
    from models_backend.curation.recall import recall
    from models_backend.curation.rules import read_rules
    from models_backend.curation.selecting import apply

    found = recall(apply(options.scores, read_rules(options.rules)), options.data)
    print("\n".join(found.lines()))


def _draw(options: argparse.Namespace) -> None:
    from models_backend.curation.drawing_at_random import draw

    draw(options.pool, options.count, options.out, seed=options.seed)
    print(options.out)


def _upscale(options: argparse.Namespace) -> None:
    from models_backend.curation.upscaling import Upscaler, upscale

    upscaler = Upscaler.load(
        options.weights, min_side=options.min_side, steps=options.steps, seed=options.seed
    )
    told = upscale(options.data, upscaler, options.out)
    print(f"{told.enlarged} of {told.images} images enlarged", file=sys.stderr)
    if told.shrunk_back_db is not None:
        print(
            f"shrunk back they differ from their originals by {told.shrunk_back_db} dB of PSNR "
            "(median; an interpolation has 35 and more): look at them before you tune on them",
            file=sys.stderr,
        )
    print(options.out)


def _learn(options: argparse.Namespace) -> None:
    from models_backend.curation.heads import learn_appeal, learn_text_image

    if options.kind == "appeal" and not options.field:
        raise InputError("learn appeal needs --field: the numeric field that is learnt")
    told = (
        learn_appeal(options.data, options.field, options.out)
        if options.kind == "appeal" else learn_text_image(options.data, options.out)
    )  # fmt: skip
    print("\n".join(f"{key}: {value}" for key, value in told.items()), file=sys.stderr)
    print(options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="models_backend.curation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    score = commands.add_parser("score", help="look at every image once")
    score.set_defaults(run=_score)
    score.add_argument("--data", type=Path, required=True)
    score.add_argument("--out", type=Path, required=True, help="folder of the scores")
    score.add_argument("--scorers", default=SCORERS, help="names, by commas (default: %(default)s)")
    score.add_argument(
        "--with", dest="options", action="append", default=[], metavar="SCORER=OPTION",
        help="weights, a field or a detector for a scorer; again for each",
    )  # fmt: skip
    score.add_argument("--processes", type=int, default=1)
    score.add_argument("--caption-column", default="caption", metavar="NAME")
    select = commands.add_parser("select", help="apply rules to the scores, and write a pool")
    select.set_defaults(run=_select)
    select.add_argument("--rules", type=Path, default=DEFAULT_RULES, help="default: %(default)s")
    select.add_argument("--scores", type=Path, required=True)
    select.add_argument(
        "--data", type=Path, help="what was scored; without it the funnel alone is written"
    )
    select.add_argument("--out", type=Path, required=True, help="folder of the pool")
    select.add_argument("--no-audit", action="store_true", help="leave out the audit sheet")
    _add_learning(commands)
    _add_planting(commands)
    _add_drawing(commands)
    return parser


def _add_learning(commands: Any) -> None:
    learn = commands.add_parser("learn", help="learn a head for text_image or appeal")
    learn.set_defaults(run=_learn)
    learn.add_argument("kind", choices=("text_image", "appeal"))
    learn.add_argument("--data", type=Path, required=True)
    learn.add_argument("--field", default="", help="of appeal: the numeric field of the source")
    learn.add_argument("--out", type=Path, required=True)


def _add_planting(commands: Any) -> None:
    plant = commands.add_parser("plant", help="plant known damage in a data set, to test rules")
    plant.set_defaults(run=_plant)
    plant.add_argument("--data", type=Path, required=True, help="a finished data directory")
    plant.add_argument("--out", type=Path, required=True)
    plant.add_argument("--seed", type=int, default=0)
    for kind, count in _PLANTED.items():
        plant.add_argument(
            f"--{kind.replace('_', '-')}", type=int, default=count, help="default: %(default)s"
        )
    recall = commands.add_parser("recall", help="how many of what was planted rules remove")
    recall.set_defaults(run=_recall)
    recall.add_argument("--data", type=Path, required=True, help="the folder that plant wrote")
    recall.add_argument("--scores", type=Path, required=True)
    recall.add_argument("--rules", type=Path, default=DEFAULT_RULES, help="default: %(default)s")


def _add_drawing(commands: Any) -> None:
    draw = commands.add_parser("draw", help="images of a pool at random: what picks have to beat")
    draw.set_defaults(run=_draw)
    draw.add_argument("--pool", type=Path, required=True)
    draw.add_argument("--count", type=int, required=True)
    draw.add_argument("--seed", type=int, default=0)
    draw.add_argument("--out", type=Path, required=True, help="a new folder, t2i-dataset/1")
    upscale = commands.add_parser("upscale", help="enlarge small images by pixel diffusion")
    upscale.set_defaults(run=_upscale)
    upscale.add_argument("--data", type=Path, required=True, help="a finished data directory")
    upscale.add_argument("--weights", type=Path, required=True, help="a pixel-diffusion checkpoint")
    upscale.add_argument("--min-side", type=int, required=True, help="pixels of the shorter side")
    upscale.add_argument("--steps", type=int, default=12, help="default: %(default)s")
    upscale.add_argument("--seed", type=int, default=0)
    upscale.add_argument("--out", type=Path, required=True, help="a new data directory")


_PLANTED = {"blurred": 150, "noisy": 100, "darkened": 50, "text": 60, "copy": 20, "crop": 20,
            "wide_crop": 0}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    options = _parser().parse_args(argv)
    return run_cli(lambda: options.run(options))


if __name__ == "__main__":
    sys.exit(main())
