"""Draw images from a checkpoint; as a program, draw a contact sheet of several side by side.

Usage::

    python -m models_backend.sample CHECKPOINT [CHECKPOINT ...] --prompts FILE --out sheet.png
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from models_backend import checkpoint
from models_backend.errors import InputError, run_cli
from models_backend.families.base import SAMPLERS, Family, SamplerSettings
from models_backend.files import write_bytes_atomically

__all__ = ["SamplerSettings", "check_request", "generate", "load_pipeline"]


def load_pipeline(path: Path, device: str | None = None) -> Family:
    """Return the model of a checkpoint directory: ours, a diffusers pipeline, or a single file.

    `device` defaults to a GPU where there is one.

    Raises:
        CheckpointError: the directory is neither, or was changed.
    """
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if (path / "model_index.json").is_file() and not (path / checkpoint.METADATA).is_file():
        from models_backend.families.diffusers_pipelines.pipeline import DiffusersPipeline

        return DiffusersPipeline.load(path, chosen)
    if not (path / checkpoint.METADATA).is_file() and (path / "config/model_index.json").is_file():
        from models_backend.families.diffusers_pipelines.single_file import SingleFilePipeline

        return SingleFilePipeline.load(path, chosen)
    return checkpoint.load(path, chosen)[0]


def check_request(prompts: Sequence[str], seeds: Sequence[int]) -> None:
    """Check what `Family.denoise` takes for granted.

    Raises:
        InputError: as many seeds as prompts are needed, at least one, each of 64 bits.
    """
    if len(prompts) != len(seeds) or not prompts:
        raise InputError(f"{len(prompts)} prompts and {len(seeds)} seeds: give a seed per prompt")
    for seed in seeds:
        if not -(2**63) <= seed < 2**64:
            raise InputError(f"seed {seed}: accepted are integers of 64 bits")


def generate(
    pipeline: Family, *, prompts: Sequence[str], seeds: Sequence[int], settings: SamplerSettings
) -> list[Image.Image]:
    """Return one RGB image for each (prompt, seed).

    An image depends on its own prompt and seed, not on what else is in the batch.

    Raises:
        InputError: see :func:`check_request`; or a setting this model cannot honour.
    """
    check_request(prompts, seeds)
    return pipeline.sample(prompts=prompts, seeds=seeds, settings=settings)


# -- contact sheets -------------------------------------------------------------------------------

_CELL, _GAP, _LABEL = 160, 10, 260
_PAPER, _INK = (250, 250, 248), (30, 32, 34)


def contact_sheet(
    rows: Sequence[str], columns: Sequence[str], pictures: dict[tuple[int, int], Image.Image]
) -> Image.Image:
    """Return pictures[row, column] as a labelled grid, prompts at the left."""
    width = _LABEL + len(columns) * (_CELL + _GAP) + _GAP
    height = 40 + len(rows) * (_CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for column, title in enumerate(columns):
        draw.text((_LABEL + column * (_CELL + _GAP) + 4, 12), title, _INK, font)
    for row, prompt in enumerate(rows):
        top = 40 + row * (_CELL + _GAP)
        draw.multiline_text((12, top + 8), _wrapped(prompt, font), _INK, font)
        for column in range(len(columns)):
            picture = pictures[row, column].resize((_CELL, _CELL), Image.Resampling.BICUBIC)
            sheet.paste(picture, (_LABEL + column * (_CELL + _GAP), top))
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _LABEL - 24:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)


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


def draw_sheet(
    folders: Sequence[Path], prompts: Sequence[str], seed: int, settings: SamplerSettings
) -> Image.Image:
    """Sample every prompt from every checkpoint with one seed a row."""
    pictures: dict[tuple[int, int], Image.Image] = {}
    titles = []
    for column, folder in enumerate(tqdm(folders, desc="contact sheet", unit="model")):
        pipeline = load_pipeline(folder)
        ours = (folder / checkpoint.METADATA).is_file()
        titles.append(checkpoint.read_metadata(folder)["name"] if ours else folder.name)
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
    defaults = SamplerSettings()
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--prompts", type=Path, required=True, help="text file, or TSV with Prompt")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", choices=SAMPLERS, default=defaults.sampler)
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--guidance", type=float, default=defaults.guidance_scale)
    options = parser.parse_args(argv)

    def run() -> None:
        settings = SamplerSettings(
            sampler=options.sampler, steps=options.steps, guidance_scale=options.guidance
        )
        prompts = read_prompts(options.prompts)
        sheet = draw_sheet(options.checkpoints, prompts, options.seed, settings)
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
