"""Figures that the server draws: where their marks stand, in per cent of the figure's width.

An SVG without a view box whose places are percentages fits every width without a script, and its
text keeps the page's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STEPS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
_LABEL_FITS = 17.0  # per cent of the width that "A 41 %" needs on a phone
_LABEL_FITS_WIDE = 7.0  # and on a wide page


@dataclass(frozen=True)
class ForestRow:
    """One estimate with its interval; `low` and `high` are None where it has no interval.

    Of a comparison the colour follows from the interval: A's where it lies above 0, B's below,
    grey where it holds 0. A gallery names the `arm` (its letter) whose colour the row has.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""  # the numbers as they are printed: "+43 [35, 51]"
    depth: int = 0  # of a part below what it is part of
    n: str = ""  # on how much it rests
    note: str = ""
    href: str = ""  # what lies behind the row
    arm: str = ""

    @property
    def leader(self) -> str:
        """Return "a", "b" or "" by what the interval leaves out."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return ""
        return "a" if self.low > 0 else "b"


@dataclass(frozen=True)
class Mark:
    """A row of a forest with its places, in per cent from the left."""

    row: ForestRow
    at: str
    low: str
    high: str
    is_of_arms: bool = True  # else nothing of it has an arm's colour

    @property
    def kind(self) -> str:
        if not self.is_of_arms:
            return "plain"
        return self.row.arm.lower() or self.row.leader or "none"


@dataclass(frozen=True)
class ForestDrawn:
    """Rows and the ticks of their axis."""

    marks: list[Mark]
    ticks: list[tuple[str, str]]  # (place, label)
    has_n: bool


def drawn_forest(
    rows: Sequence[ForestRow],
    *,
    reach: float | None = None,
    scale: str = "net",
    ends: tuple[float, float] | None = None,
) -> ForestDrawn:
    """Place the rows on an axis.

    `scale` is net (shares in [-1, 1], printed in per cent), difference (of two nets, in [-2, 2]),
    strength (logits) or grade. The axis goes from -reach to +reach: without one ±100 % of nets, of
    the others the next round number that holds every interval. Grades go from the one end to the
    other.
    """
    if scale == "grade" and ends:
        low, high = ends
        ticks = [(low + step, f"{low + step:g}") for step in range(int(high - low) + 1)]
    else:
        reach = reach or (1.0 if scale == "net" else _round_reach(rows))
        low, high = -reach, reach
        ticks = [(part * reach, _tick(part * reach, scale)) for part in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    axis = Axis(low, high)
    of_arms = scale != "difference"
    marks = [
        Mark(row, axis.at(row.value), axis.at(row.low), axis.at(row.high), of_arms) for row in rows
    ]
    placed = [(axis.at(value), label) for value, label in ticks]
    return ForestDrawn(marks, placed, any(row.n for row in rows))


@dataclass(frozen=True)
class Axis:
    """From which value to which a figure reaches."""

    low: float
    high: float

    def at(self, value: float | None) -> str:
        """Return where a value stands; 4 per cent at each end are left for the ticks' text."""
        if value is None:
            return ""
        inside = (value - self.low) / (self.high - self.low)
        return f"{4 + 92 * min(max(inside, 0.0), 1.0):.2f}%"


def _round_reach(rows: Sequence[ForestRow]) -> float:
    ends = [abs(each) for row in rows for each in (row.value, row.low, row.high) if each]
    longest = max(ends, default=1.0)
    return next((step for step in _STEPS if step >= longest), longest)


def _tick(value: float, scale: str) -> str:
    if not value:
        return "0"
    sign = "+" if value > 0 else "−"
    return f"{sign}{abs(100 * value if scale in ('net', 'difference') else value):g}"


@dataclass(frozen=True)
class BarPart:
    """One part of a bar: a share in [0, 1] under a name; `kind` gives the colour.

    Kinds: a, tie, divided, b; of grades g1 (worst) to g5 (best).
    """

    kind: str
    name: str
    share: float
    text: str = ""  # the number as it is printed beside the bar


@dataclass(frozen=True)
class Piece:
    """A part of a bar with its place."""

    part: BarPart
    x: str
    width: str
    middle: str
    label: str
    fits: str  # always, wide (screens) or never


def outcome_parts(
    win: float, tie: float, lose: float, divided: float | None = None
) -> list[BarPart]:
    """Return the parts of a comparison's bar: A, tie, (divided,) B; shares in [0, 1]."""
    parts = [BarPart("a", "A", win), BarPart("tie", "tie", tie)]
    if divided is not None:
        parts.append(BarPart("divided", "divided", divided))
    return [*parts, BarPart("b", "B", lose)]


def drawn_bar(parts: Sequence[BarPart]) -> list[Piece]:
    """Place the parts side by side; those of nothing have no piece."""
    pieces, x = [], 0.0
    for part in parts:
        width = 100 * part.share
        if width <= 0:
            continue
        longer = len(part.name) > 4
        factor = 1.9 if longer else 1.0
        fits = "never"
        if width >= _LABEL_FITS_WIDE * factor:
            fits = "always" if width >= _LABEL_FITS * factor else "wide"
        pieces.append(
            Piece(part, f"{x:.3f}%", f"{width:.3f}%", f"{x + width / 2:.3f}%",
                  f"{part.name} {width:.0f} %", fits)
        )  # fmt: skip
        x += width
    return pieces


def in_words(parts: Sequence[BarPart]) -> str:
    """Return what the bar shows, for those who do not see it."""
    return ", ".join(f"{each.name} {each.text or f'{100 * each.share:.0f} %'}" for each in parts)


def as_rows(found: Any) -> list[ForestRow]:
    """Return the rows a template gave: one or several."""
    return [found] if isinstance(found, ForestRow) else list(found or ())
