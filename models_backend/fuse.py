"""Fuses LoRAs and single parts into a base: `python -m models_backend.fuse BASE OUT --lora FILE`.

Prints what was done as one line of JSON. It ends, and removes what it has begun, when whoever
started it with `--while-stdin` goes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from models_backend.errors import InputError, run_cli

if TYPE_CHECKING:
    from models_backend.checkpoints.fusing import Part

_WEIGHTS = ("ema", "plain")


def main(arguments: list[str] | None = None) -> None:
    """Run the program. Raises `ModelsError` for what does not fit."""
    options = _options().parse_args(arguments)
    if options.while_stdin:
        threading.Thread(target=_end_with_parent, args=[options.out], daemon=True).start()
    # Only now: torch takes seconds to load, which neither --help nor a lost parent should wait for.
    from models_backend.checkpoints.fusing import Adapter, Part, fuse

    scales = options.scale or [1.0] * len(options.lora)
    if len(scales) != len(options.lora):
        raise InputError(
            f"{len(scales)} --scale for {len(options.lora)} --lora; give one for each, in the same "
            "order, or none"
        )
    if not (options.lora or options.part or options.weights):
        raise InputError(
            "nothing to change in the base: give a LoRA, a part, or its weights (--lora, --part, "
            "--weights)"
        )
    record = fuse(
        options.base,
        options.out,
        adapters=[Adapter(*pair) for pair in zip(options.lora, scales, strict=True)],
        parts=[_part(Part, given) for given in options.part],
        weights=options.weights,
        say=lambda what: print(f"progress: {what}", file=sys.stderr, flush=True),
    )
    print(json.dumps(record))


def _part(kind: type[Part], given: str) -> Part:
    name, _, source = given.partition("=")
    component, _, weights = name.partition(":")
    if not (component and source) or weights not in ("", *_WEIGHTS):
        raise InputError(f"--part {given!r}: give COMPONENT=PATH, or COMPONENT:ema=PATH")
    return kind(component, Path(source), weights or None)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models_backend.fuse", description=__doc__)
    parser.add_argument("base", type=Path, help="checkpoint directory of a diffusers pipeline")
    parser.add_argument("out", type=Path, help="directory to write, which must not be there")
    parser.add_argument("--lora", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--scale", type=float, action="append", help="one for each --lora")
    parser.add_argument(
        "--part", action="append", default=[], metavar="COMPONENT[:ema|:plain]=PATH",
        help="e.g. vae=FOLDER, or unet:ema=FILE of a file that holds both",
    )  # fmt: skip
    parser.add_argument("--weights", choices=_WEIGHTS, help="of the base, if it has both")
    parser.add_argument("--while-stdin", action="store_true", help="end when stdin is closed")
    return parser


def _end_with_parent(out: Path) -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held when this process ends
        pass
    for partial in out.parent.glob(f".{out.name}.*.partial"):
        shutil.rmtree(partial, ignore_errors=True)
    os._exit(130)


def program() -> int:
    """Run it as a command: an error is one line; returns the exit status."""
    return run_cli(main)


if __name__ == "__main__":
    sys.exit(program())
