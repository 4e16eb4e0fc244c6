"""The audit sheet: for each threshold the images just above and just below it.

A threshold is chosen by looking at what it divides. Nothing here decides.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models_backend.curation.expressions import ScoreCondition
from models_backend.curation.reading import read_picture
from models_backend.curation.rules import Keep, SelectionRules
from models_backend.curation.selection import ScoreTable, SelectionDecision
from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically

EACH = 12
_CELL, _GAP, _LABEL = 128, 8, 22
_PAPER, _INK, _GOES = (250, 250, 248), (30, 32, 34), (176, 42, 42)


@dataclass(frozen=True)
class Threshold:
    """One comparison of one stage, and the images nearest to its number, nearest first."""

    stage: str
    comparison: ScoreCondition
    above: list[int]
    """Rows that fulfil it."""
    below: list[int]
    """Rows that do not."""
    values: dict[int, float]
    passed: int
    failed: int

    @property
    def text(self) -> str:
        """The comparison as it was written."""
        return f"{self.comparison.name} {self.comparison.sign} {self.comparison.number:g}"


def thresholds(
    scores: ScoreTable, rules: SelectionRules, decision: SelectionDecision
) -> list[Threshold]:
    """Return what is nearest to each threshold, of what had come as far as its stage."""
    found = []
    for stage in rules.stages:
        if not isinstance(stage, Keep):
            continue
        arrived = decision.arrived[stage.name]
        for _, rule in stage.rules:
            for each in rule.comparisons():
                if each.name in scores.numbers:
                    found.append(_threshold(scores, stage.name, each, arrived))
    return found


def _threshold(scores: ScoreTable, stage: str, each: ScoreCondition, arrived: Any) -> Threshold:
    values = scores.numbers[each.name]
    true, false = each.truth({each.name: values})
    above, below = (_nearest(values, arrived & side, each.number) for side in (true, false))
    told = {row: float(values[row]) for row in (*above, *below)}
    passed, failed = int((arrived & true).sum()), int((arrived & false).sum())
    return Threshold(stage, each, above, below, told, passed, failed)


def _nearest(values: Any, rows: Any, number: float) -> list[int]:
    chosen = np.flatnonzero(rows)
    far = np.abs(values[chosen] - number)
    if len(chosen) > EACH:
        near = np.argpartition(far, EACH)[:EACH]
        chosen, far = chosen[near], far[near]
    return [int(row) for row in chosen[np.argsort(far, kind="stable")]]


def write_audit(
    sheets: list[Threshold], read: Callable[[int], bytes], funnel: dict[str, Any], out: Path
) -> None:
    """Write a picture for each threshold and a page of them all, `audit/index.html`.

    The pages hold images of the source and their scores: for whoever sets thresholds, never for
    those who judge.
    """
    folder = out / "audit"
    pages = []
    for number, sheet in enumerate(sheets, start=1):
        name = f"{number:02d}.png"
        buffer = io.BytesIO()
        _drawn(sheet, read).save(buffer, format="PNG")
        write_bytes_atomically(folder / name, buffer.getvalue())
        title = html.escape(f"{sheet.stage}: {sheet.text}")
        pages.append(
            f"<h2>{title}</h2><p>{sheet.passed} fulfil it, {sheet.failed} do not, of those that "
            f'came as far as this stage.</p><img src="{name}" alt="{title}">'
        )
    page = _PAGE.format(funnel=_table(funnel), sheets="\n".join(pages))
    write_bytes_atomically(folder / "index.html", page.encode())


def _drawn(sheet: Threshold, read: Callable[[int], bytes]) -> Image.Image:
    width = EACH * (_CELL + _GAP) + _GAP
    line = _CELL + _LABEL + _GAP
    picture = Image.new("RGB", (width, 2 * (line + 26) + _GAP), _PAPER)
    canvas = ImageDraw.Draw(picture)
    font, small = ImageFont.load_default(size=15), ImageFont.load_default(size=12)
    for place, (rows, said) in enumerate(((sheet.above, "stay"), (sheet.below, "go"))):
        top = place * (line + 26)
        ink = _INK if place == 0 else _GOES
        canvas.text((_GAP, top + 5), f"{said} by {sheet.text}, the nearest first", ink, font)
        for column, row in enumerate(rows):
            left = _GAP + column * (_CELL + _GAP)
            _paste(picture, read, row, (left, top + 26))
            label = f"{sheet.values[row]:.4g}"
            canvas.text((left, top + 26 + _CELL + 3), label, ink, small)
    return picture


def _paste(
    picture: Image.Image, read: Callable[[int], bytes], row: int, at: tuple[int, int]
) -> None:
    try:
        image = read_picture(read(row)).image
    except InputError as error:
        ImageDraw.Draw(picture).multiline_text(at, "\n".join(str(error).split()[:6]), _GOES)
        return
    scale = min(_CELL / image.width, _CELL / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    picture.paste(image.resize(size, Image.Resampling.LANCZOS), at)


def _table(funnel: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(stage['stage'])}</td><td>{stage['kept']}</td><td>"
        + "<br>".join(f"{html.escape(rule)}: {n}" for rule, n in stage["dropped"].items())
        + "</td></tr>"
        for stage in funnel["stages"]
    )
    head = "<tr><th>stage</th><th>left</th><th>dropped by</th></tr>"
    return f"<p>{funnel['images']} images.</p><table>{head}{rows}</table>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Audit of thresholds</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1e2022; background: #fafaf8 }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #bbb; padding: .3rem .6rem;
text-align: left; vertical-align: top }} img {{ max-width: 100%; border: 1px solid #ddd }}
</style></head><body>
<h1>What the thresholds divide</h1>
<p>For each threshold the twelve images just above it and the twelve just below it.</p>
{funnel}
{sheets}
</body></html>
"""
