"""The lineage of a loop as a graph: data, votes, reward, child, proof. Pure: boxes and lines.

Every round is a row of boxes from left to right; a child leads down to the next round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WIDTH, HEIGHT = 148, 46  # of a box, in pixels of the drawing
_GAP_X, _GAP_Y, _MARGIN = 34, 40, 8


@dataclass(frozen=True)
class LineageItem:
    """One thing of a round, as `lineage_of` takes it.

    Attributes:
        kind: prompts, votes, preferences, reward, child or proof.
        name: what it is called; empty where it is not there yet.
        note: a few words below the name, such as the start of a hash.
    """

    kind: str
    label: str
    name: str = ""
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class LineageBox:
    """A box at its place; `x` and `y` are its left upper corner."""

    item: LineageItem
    x: int
    y: int

    @property
    def is_there(self) -> bool:
        return bool(self.item.name)

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2


@dataclass(frozen=True)
class LineageGraph:
    """Boxes, and the lines between them as SVG paths."""

    boxes: list[LineageBox]
    paths: list[str]
    width: int
    height: int
    box_width: int = field(default=WIDTH)
    box_height: int = field(default=HEIGHT)


def lineage_of(rows: Sequence[Sequence[LineageItem]], leads_on: int) -> LineageGraph:
    """Return the drawing of rounds; `leads_on` is the column of what the next round begins with."""
    boxes, paths = [], []
    for row, items in enumerate(rows):
        y = _MARGIN + row * (HEIGHT + _GAP_Y)
        placed = [
            LineageBox(item, _MARGIN + at * (WIDTH + _GAP_X), y) for at, item in enumerate(items)
        ]
        paths += [
            f"M{left.x + WIDTH} {y + HEIGHT // 2}H{right.x}" for left, right in pairwise(placed)
        ]
        if row + 1 < len(rows):
            paths.append(_down(placed[leads_on], placed[0], y))
        boxes += placed
    columns = max(map(len, rows), default=0)
    return LineageGraph(
        boxes,
        paths,
        width=max(0, columns * (WIDTH + _GAP_X) - _GAP_X) + 2 * _MARGIN,
        height=max(0, len(rows) * (HEIGHT + _GAP_Y) - _GAP_Y) + 2 * _MARGIN,
    )


def _down(child: LineageBox, first: LineageBox, y: int) -> str:
    between = y + HEIGHT + _GAP_Y // 2
    return f"M{child.middle} {y + HEIGHT}V{between}H{first.middle}V{y + HEIGHT + _GAP_Y}"
