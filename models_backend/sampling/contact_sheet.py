"""A grid of images to look at: a row a prompt, a column a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from models_backend.data.pictures import has_alpha

_CELL, _GAP, _LABEL = 160, 10, 260
_PAPER, _INK = (250, 250, 248), (30, 32, 34)
_SQUARE, _LIGHT, _LESS_LIGHT = 10, (255, 255, 255), (208, 208, 208)


def contact_sheet(
    rows: Sequence[str], columns: Sequence[str], pictures: dict[tuple[int, int], Image.Image]
) -> Image.Image:
    """Return pictures[row, column] as a labelled grid, prompts at the left.

    Transparent ones lie on a checker.
    """
    width = _LABEL + len(columns) * (_CELL + _GAP) + _GAP
    height = 40 + len(rows) * (_CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    canvas = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    for column, title in enumerate(columns):
        canvas.text((_LABEL + column * (_CELL + _GAP) + 4, 12), title, _INK, font)
    for row, prompt in enumerate(rows):
        top = 40 + row * (_CELL + _GAP)
        canvas.multiline_text((12, top + 8), _wrapped(prompt, font), _INK, font)
        for column in range(len(columns)):
            picture = pictures[row, column].resize((_CELL, _CELL), Image.Resampling.BICUBIC)
            place = (_LABEL + column * (_CELL + _GAP), top)
            if has_alpha(picture):
                sheet.paste(_checker(), place)
                sheet.paste(picture.convert("RGB"), place, picture.convert("RGBA").getchannel("A"))
            else:
                sheet.paste(picture, place)
    return sheet


@cache
def _checker() -> Image.Image:
    """Return the ground that programs show transparency by: light and less light squares."""
    ground = Image.new("RGB", (_CELL, _CELL), _LIGHT)
    canvas = ImageDraw.Draw(ground)
    for top in range(0, _CELL, _SQUARE):
        for left in range(top % (2 * _SQUARE), _CELL, 2 * _SQUARE):
            canvas.rectangle((left, top, left + _SQUARE - 1, top + _SQUARE - 1), _LESS_LIGHT)
    return ground


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _LABEL - 24:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)
