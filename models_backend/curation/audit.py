"""The audit sheet: for each threshold the images just above and just below it, and pairs of
near-duplicates, the least alike first.

A threshold is chosen by looking at what it divides. Nothing here decides.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models_backend.curation.expressions import ScoreCondition
from models_backend.curation.reading import read_picture
from models_backend.curation.rules import Keep, SelectionRules, Unique
from models_backend.curation.selection import ScoreTable, SelectionDecision
from models_backend.errors import InputError
from models_backend.files import write_bytes_atomically

EACH = 12
_LOOKED_AT = 500  # near-duplicates that go, among which the least alike are looked for
_CELL, _GAP, _LABEL, _TITLE = 128, 8, 22, 26
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
    def title(self) -> str:
        """The comparison as it was written, with its stage."""
        return f"{self.stage}: {self.text}"

    @property
    def text(self) -> str:
        """The comparison as it was written."""
        return f"{self.comparison.name} {self.comparison.sign} {self.comparison.number:g}"

    @property
    def told(self) -> str:
        """How many it divides."""
        return (
            f"{self.passed} fulfil it, {self.failed} do not, of those that came as far as this "
            "stage."
        )

    def lines(self) -> list[tuple[str, list[int], list[str], bool]]:
        """Return what is drawn: words, rows, a label each, whether they go."""
        found = []
        for rows, said in ((self.above, "stay"), (self.below, "go")):
            labels = [f"{self.values[row]:.4g}" for row in rows]
            words = f"{said} by {self.text}, the nearest first"
            found.append((words if rows else f"none would {said}", rows, labels, said == "go"))
        return found


@dataclass(frozen=True)
class AuditedPairs:
    """Near-duplicates of one stage: what stays above what goes for it, the least alike first."""

    stage: str
    hamming: int
    stays: list[int]
    goes: list[int]
    bits: list[int]
    """How many of 64 bits differ."""
    dropped: int

    @property
    def title(self) -> str:
        """The stage and its threshold."""
        return f"{self.stage}: hamming {self.hamming}"

    @property
    def told(self) -> str:
        """How many go."""
        return f"{self.dropped} go for another that is nearly the same."

    def lines(self) -> list[tuple[str, list[int], list[str], bool]]:
        """Return what is drawn: words, rows, a label each, whether they go."""
        if not self.goes:
            return [("none would go", [], [], True)]
        labels = [f"{bits} bits" for bits in self.bits]
        return [
            ("stay, the least alike first", self.stays, labels, False),
            ("go for the one above", self.goes, labels, True),
        ]


Sheet = Threshold | AuditedPairs


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


def near_duplicates(
    scores: ScoreTable, rules: SelectionRules, decision: SelectionDecision
) -> list[AuditedPairs]:
    """Return of each stage that looks for near-duplicates the pairs that are least alike."""
    found = []
    for stage in rules.stages:
        if not isinstance(stage, Unique) or scores.prints is None:
            continue
        reasons = [n for n, (name, _) in enumerate(decision.reasons) if name == stage.name]
        gone = np.flatnonzero(np.isin(decision.reason, reasons))
        left = np.flatnonzero(decision.arrived[stage.name] & ~np.isin(decision.reason, reasons))
        pairs = [_nearest_left(scores, stage, row, left) for row in gone[:_LOOKED_AT].tolist()]
        pairs = sorted(pairs, reverse=True)[:EACH]
        found.append(AuditedPairs(
            stage.name, stage.nearness.hamming, [stays for _, stays, _ in pairs],
            [goes for _, _, goes in pairs], [bits for bits, _, _ in pairs], len(gone),
        ))  # fmt: skip
    return found


def _nearest_left(scores: ScoreTable, stage: Unique, row: int, left: Any) -> tuple[int, int, int]:
    """Return bits, what stays and what goes, by whole images and by windows of them."""
    assert scores.prints is not None
    whole, here = scores.prints, np.full(len(left), row)
    bits = stage.nearness.bits(whole.of(left), whole.of(here))
    for window in scores.windows if stage.crops else ():
        for one, other in ((window, whole), (whole, window)):
            bits = np.minimum(bits, stage.nearness.bits(one.of(left), other.of(here)))
    best = int(np.argmin(bits))
    return int(bits[best]), int(left[best]), row


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
    sheets: Sequence[Sheet], read: Callable[[int], bytes], funnel: dict[str, Any], out: Path
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
        title = html.escape(sheet.title)
        pages.append(
            f"<h2>{title}</h2><p>{html.escape(sheet.told)}</p>"
            f'<div tabindex="0"><img src="{name}" alt="{title}"></div>'
        )
    page = _PAGE.format(funnel=_table(funnel), sheets="\n".join(pages))
    write_bytes_atomically(folder / "index.html", page.encode())


def _drawn(sheet: Sheet, read: Callable[[int], bytes]) -> Image.Image:
    lines, width = sheet.lines(), EACH * (_CELL + _GAP) + _GAP
    heights = [_TITLE + (_CELL + _LABEL + _GAP if rows else 0) for _, rows, _, _ in lines]
    picture = Image.new("RGB", (width, sum(heights) + _GAP), _PAPER)
    canvas, top = ImageDraw.Draw(picture), 0
    font, small = ImageFont.load_default(size=15), ImageFont.load_default(size=12)
    for (words, rows, labels, goes), height in zip(lines, heights, strict=True):
        ink = _GOES if goes else _INK
        canvas.text((_GAP, top + 5), words, ink, font)
        for column, (row, label) in enumerate(zip(rows, labels, strict=True)):
            left = _GAP + column * (_CELL + _GAP)
            _paste(picture, read, row, (left, top + _TITLE))
            canvas.text((left, top + _TITLE + _CELL + 3), label, ink, small)
        top += height
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
text-align: left; vertical-align: top }} div {{ overflow-x: auto; border: 1px solid #ddd }}
img {{ display: block; width: 100%; min-width: 70rem }}
</style></head><body>
<h1>What the thresholds divide</h1>
<p>For each threshold the twelve images just above it and the twelve just below it; of
near-duplicates the twelve pairs that are least alike.</p>
{funnel}
{sheets}
</body></html>
"""
