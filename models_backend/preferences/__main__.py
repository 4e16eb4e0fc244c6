"""Preference sets: make one of a public format, look at it, merge several, write it for others.

Usage::

    python -m models_backend.preferences import SOURCE --from FORMAT --out DIR
    python -m models_backend.preferences check DIR
    python -m models_backend.preferences merge DIR DIR ... --out DIR
    python -m models_backend.preferences divide DIR --learn DIR --judge DIR --share 0.25
    python -m models_backend.preferences randomise DIR --out DIR
    python -m models_backend.preferences export DIR --as FORMAT --out DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models_backend.errors import run_cli
from models_backend.preferences.dividing import divide_set
from models_backend.preferences.exporting import FORMS, export_set
from models_backend.preferences.formats.registry import IMPORTERS
from models_backend.preferences.importing import import_set, merge_sets
from models_backend.preferences.randomising import randomise_set
from models_backend.preferences.reading import PreferenceSet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="models_backend.preferences",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    take = commands.add_parser("import", help="make a set of another format")
    take.add_argument("source", type=Path, help="its file, or the folder of its Parquet files")
    take.add_argument("--from", dest="form", required=True, help=", ".join(IMPORTERS))
    take.add_argument("--images", type=Path, help="folder of its images (default: beside SOURCE)")
    take.add_argument("--aspect", default="preference", help="what was asked, if it does not say")
    take.add_argument("--licence", default="not stated")
    check = commands.add_parser("check", help="read a set and all its images, and describe it")
    check.add_argument("folder", type=Path)
    merge = commands.add_parser("merge", help="make one set of several")
    merge.add_argument("folders", type=Path, nargs="+")
    for each in (take, merge):
        each.add_argument("--out", type=Path, required=True, help="an empty folder")
        each.add_argument("--allow-simulated", action="store_true",
                          help="simulated and human votes in one set")  # fmt: skip
        each.add_argument("--no-embed", action="store_true",
                          help="leave jpg_0 and jpg_1 empty: half the size")  # fmt: skip
    divide = commands.add_parser("divide", help="two sets of other prompts: a reward's, a judge's")
    divide.add_argument("folder", type=Path)
    divide.add_argument("--learn", type=Path, required=True, help="an empty folder")
    divide.add_argument("--judge", type=Path, required=True, help="an empty folder")
    divide.add_argument(
        "--share",
        type=float,
        default=0.25,
        help="of the prompts that the judge alone learns from (%(default)s)",
    )
    chance = commands.add_parser("randomise", help="the same pairs, preferred by chance: a control")
    chance.add_argument("folder", type=Path)
    chance.add_argument("--out", type=Path, required=True, help="an empty folder")
    chance.add_argument("--seed", type=int, default=0)
    give = commands.add_parser("export", help="write a set for another program")
    give.add_argument("folder", type=Path)
    give.add_argument("--as", dest="form", required=True, help=", ".join(FORMS))
    give.add_argument("--out", type=Path, required=True, help="an empty folder")
    give.add_argument("--aspect", help="which, if the set has several")
    give.add_argument("--blind", action="store_true", help="without the names of models")
    give.add_argument("--consensus", action="store_true", help="one row of all votes on a pair")
    return parser


def _told(mark: dict[str, Any]) -> str:
    """Return a set in some lines."""
    splits = ", ".join(f"{name} {each['pairs']}" for name, each in mark["splits"].items())
    return (
        f"{mark['pairs']} pairs ({splits}) of {mark['images']} images and {mark['prompts']} "
        f"prompts; aspects {', '.join(mark['aspects'])}; {mark['annotators']} annotators; "
        f"{mark['ties']} ties, {mark['cycles']} cycles; sources {mark['sources']}"
        + ("; SIMULATED" if mark["simulated"] else "")
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    options = _parser().parse_args(argv)

    def run() -> None:
        if options.command == "import":
            made = import_set(
                options.source, options.out, form=options.form, images=options.images,
                aspect=options.aspect, licence=options.licence,
                allow_simulated=options.allow_simulated, embed=not options.no_embed,
            )  # fmt: skip
            for why, count in made.skipped.items():
                print(f"left out: {count} ({why})", file=sys.stderr)
            print(_told(made.mark))
        elif options.command == "merge":
            mark = merge_sets(
                options.folders, options.out, allow_simulated=options.allow_simulated,
                embed=not options.no_embed,
            )  # fmt: skip
            print(_told(mark))
        elif options.command == "divide":
            found = PreferenceSet.open(options.folder)
            for mark in divide_set(
                found, learn=options.learn, judge=options.judge, share=options.share
            ):
                print(_told(mark))
        elif options.command == "randomise":
            found = PreferenceSet.open(options.folder)
            print(_told(randomise_set(found, options.out, seed=options.seed)))
        elif options.command == "check":
            found = PreferenceSet.open(options.folder)
            for uid in {uid for pair in found.pairs for uid in pair.images}:
                found.images.bytes_of(uid)
            print(_told(found.mark))
        else:
            written = export_set(
                PreferenceSet.open(options.folder), options.out, form=options.form,
                aspect=options.aspect, blind=options.blind, count_together=options.consensus,
            )  # fmt: skip
            for name, rows in written.items():
                print(f"{name}: {rows} rows")

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
