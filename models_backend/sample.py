"""Sample images of several checkpoints into one contact sheet, side by side.

Usage::

    python -m models_backend.sample CHECKPOINT [CHECKPOINT ...] --prompts FILE --out sheet.png
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from models_backend import checkpoints
from models_backend.checkpoint_format import METADATA
from models_backend.errors import InputError, run_cli
from models_backend.families.settings import SAMPLERS, SamplingSettings
from models_backend.files import write_bytes_atomically
from models_backend.sampling.contact_sheet import contact_sheet
from models_backend.sampling.generate import generate


def read_prompts(path: Path) -> list[str]:
    """Return one prompt a line; of a TSV with a header, its Prompt column."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text ({error})") from None
    if lines and "\t" in lines[0]:
        header = lines[0].lower().split("\t")
        if "prompt" not in header:
            raise InputError(f"{path}: the header has no Prompt column")
        rows = [line.split("\t") for line in lines[1:] if line.strip()]
        column = header.index("prompt")
        if any(len(row) <= column for row in rows):
            raise InputError(f"{path}: a line has fewer columns than the header")
        lines = [row[column] for row in rows]
    prompts = [line for line in lines if line.strip()]
    if not prompts:
        raise InputError(f"{path} holds no prompts")
    return prompts


def sampled_sheet(
    folders: Sequence[Path], prompts: Sequence[str], seed: int, settings: SamplingSettings
) -> Image.Image:
    """Sample every prompt from every checkpoint with one seed a row."""
    pictures: dict[tuple[int, int], Image.Image] = {}
    titles = []
    for column, folder in enumerate(tqdm(folders, desc="contact sheet", unit="model")):
        pipeline = checkpoints.load_pipeline(folder)
        ours = (folder / METADATA).is_file()
        titles.append(checkpoints.read_metadata(folder)["name"] if ours else folder.name)
        for start in range(0, len(prompts), 8):
            part = prompts[start : start + 8]
            seeds = [seed + start + offset for offset in range(len(part))]
            images = generate(pipeline, prompts=part, seeds=seeds, settings=settings)
            pictures |= {(start + offset, column): image for offset, image in enumerate(images)}
    return contact_sheet(prompts, titles, pictures)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="models_backend.sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    defaults = SamplingSettings()
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--prompts", type=Path, required=True, help="text file, or TSV with Prompt")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", choices=(*SAMPLERS, "default"), default=defaults.sampler)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--guidance", type=float, default=defaults.guidance_scale)
    options = parser.parse_args(argv)

    def run() -> None:
        settings = SamplingSettings(
            sampler=options.sampler, steps=options.steps, guidance_scale=options.guidance
        )
        prompts = read_prompts(options.prompts)
        sheet = sampled_sheet(options.checkpoints, prompts, options.seed, settings)
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        try:
            write_bytes_atomically(options.out, buffer.getvalue())
        except OSError as error:
            raise InputError(f"{options.out} cannot be written ({error.strerror})") from None
        print(options.out)

    return run_cli(run)


if __name__ == "__main__":
    sys.exit(main())
