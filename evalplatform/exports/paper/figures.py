"""The figures of a paper pack as vector files: PDF for LaTeX, SVG for slides and pages.

matplotlib draws both: text stays text, and a figure needs no package of the author's, as TikZ
would, and no second run of LaTeX. The same results give the same bytes.
"""

from __future__ import annotations

import io
import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalplatform.reports.result_types import CampaignResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A, TIE, B = "#2f6fd0", "#9a9a9a", "#d9771f"
_INK = "#222222"
_SETTINGS: Any = {
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "evalplatform",
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "axes.linewidth": 0.6,
}
_DATES = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
_WIDTH = 5.5  # inches: the text width of most papers


@dataclass(frozen=True)
class Point:
    """One row of a forest: a number with its interval, in the units of the axis."""

    label: str
    value: float
    low: float | None
    high: float | None


def figures(results: CampaignResults) -> dict[str, bytes]:
    """Return each figure by file name, as PDF and as SVG."""
    from matplotlib import rc_context

    # It tells of every table of every font.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    with rc_context(_SETTINGS):
        return {
            f"{name}.{kind}": _saved(figure, kind)
            for name, figure in _drawn(results)
            for kind in ("pdf", "svg")
        }


def _drawn(results: CampaignResults) -> list[tuple[str, Figure]]:
    """Each figure by name; none where there is nothing to draw."""
    stamp, found = results.short_stamp, []
    nets = [
        Point(f"{each.criterion_label}: {each.prompts}", *_net(each.rates.net))
        for each in results.groups
        if each.rates.net.value is not None
    ]
    if nets:
        found.append(("net", _forest(nets, "net preference for A, % of votes", stamp, zero=True)))
        found.append(("win-tie-lose", _bars(results, stamp)))
    groups = [
        Point(f"{each.criterion_label}: {each.test.name}", *_net(each.test.rates.net))
        for each in results.categories
        if each.test.rates.net.value is not None
    ]
    if groups:
        title = "net preference for A, % of votes"
        found.append(("categories", _forest(groups, title, stamp, zero=True)))
    strengths = [
        Point(f"{each.criterion_label}, {each.prompts}: {one.arm}", one.value, one.low, one.high)
        for each in results.galleries
        for one in each.ranking.standings
        if one.value is not None
    ]
    if strengths:
        found.append(("strengths", _forest(strengths, "strength, natural log units", stamp)))
    grades = [
        Point(f"{each.criterion_label}, {each.prompts}: {one.arm}", one.mean.value,
              one.mean.low, one.mean.high)
        for each in results.gradings
        for one in each.ratings.ratings
        if one.mean.value is not None
    ]  # fmt: skip
    if grades:
        found.append(("grades", _forest(grades, "mean grade", stamp)))
    return found


def _net(net) -> tuple[float, float | None, float | None]:  # type: ignore[no-untyped-def]
    low, high = (None if each is None else 100 * each for each in (net.low, net.high))
    return 100 * net.value, low, high


def _axes(rows: int, stamp: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 0.7 + 0.22 * rows), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(rows - 0.5, -0.5)
    if stamp:
        axes.set_title(drawable(stamp), fontsize=7, color="#a00000", loc="right")
    return figure, axes


def _forest(points: Sequence[Point], title: str, stamp: str, *, zero: bool = False) -> Figure:
    figure, axes = _axes(len(points), stamp)
    if zero:
        axes.axvline(0, color=_INK, linewidth=0.6)
    for at, point in enumerate(points):
        colour = _INK
        if zero and point.low is not None and point.high is not None:
            colour = A if point.low > 0 else B if point.high < 0 else _INK
        if point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [at, at], color=colour, linewidth=1.2)
        axes.plot([point.value], [at], "o", color=colour, markersize=4)
    axes.set_yticks(range(len(points)), [drawable(each.label) for each in points])
    axes.set_xlabel(title)
    return figure


def _bars(results: CampaignResults, stamp: str) -> Figure:
    groups = results.groups
    figure, axes = _axes(len(groups), stamp)
    for at, group in enumerate(groups):
        left = 0.0
        for share, colour in ((group.rates.win, A), (group.rates.tie, TIE), (group.rates.lose, B)):
            width = 100 * (share.value or 0.0)
            axes.barh(at, width, left=left, height=0.7, color=colour)
            if width >= 8:
                axes.text(left + width / 2, at, f"{width:.0f}", ha="center", va="center",
                          color="white" if colour != TIE else _INK, fontsize=7)  # fmt: skip
            left += width
    labels = [drawable(f"{each.criterion_label}: {each.prompts}") for each in groups]
    axes.set_yticks(range(len(groups)), labels)
    axes.set_xlim(0, 100)
    axes.set_xlabel("A (blue), tie (grey), B (orange), % of votes")
    return figure


def drawable(text: str, most: int = 60) -> str:
    """Return text of which the font has every letter: others as their codes, long ones cut."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    known = FT2Font(findfont("DejaVu Sans")).get_charmap()
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    cut = plain if len(plain) <= most else plain[: most - 1] + "…"
    is_simple = {each: ord(each) in known and not _turns(each) for each in set(cut)}
    return "".join(each if is_simple[each] else f"[U+{ord(each):04X}]" for each in cut)


def _turns(character: str) -> bool:
    """Whether it belongs to a script that is written from the right: it would stand reversed."""
    return unicodedata.bidirectional(character) in ("R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO",
                                                    "PDF", "LRI", "FSI", "PDI")  # fmt: skip


def _saved(figure: Figure, kind: str) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, metadata=_DATES[kind])
    return content.getvalue()
