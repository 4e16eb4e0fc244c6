"""What figures are made of: rows from top to bottom, each with its label above it, and a stamp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Figure = dict[str, Any]

INK = "#1d1f21"
_STAMP_INK, _STAMP_GROUND = "#6b4200", "#fdf0d5"
_ROW_PX = 52
_AXIS_PX = 52
_STAMP_PX = 30
_MARK = 0.06  # how far below the middle of its row, under the label, a mark stands


def layout_of(rows: int, labels: Sequence[Figure], stamp: str) -> Figure:
    """Return the layout that all figures share; `stamp` is empty where every vote is a person's."""
    return {
        "height": (_STAMP_PX if stamp else 0) + _ROW_PX * rows + _AXIS_PX,
        "margin": {"l": 20, "r": 28, "t": _STAMP_PX if stamp else 2, "b": _AXIS_PX},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "dragmode": False,
        "xaxis": {
            "gridcolor": "rgba(128,128,128,0.25)",
            "fixedrange": True,
            "tickangle": 0,
            "zeroline": False,
        },
        "yaxis": {
            "range": [rows - 0.5, -0.5],
            "visible": False,
            "fixedrange": True,
        },
        "annotations": [*labels, *([_stamp(stamp)] if stamp else [])],
    }


def row_label(row: int, text: str, hover: str = "") -> Figure:
    """Return the label of a row; `text` may hold tags of plotly's, and `hover` says it in full."""
    label = {
        "text": text, "xref": "paper", "x": 0, "xanchor": "left", "y": row - 0.5,
        "yanchor": "top", "showarrow": False, "align": "left", "borderpad": 0,
    }  # fmt: skip
    return label | ({"hovertext": hover} if hover else {})


def _stamp(text: str) -> Figure:
    """Return the stamp, inside the picture: one that is copied or downloaded keeps it."""
    return {
        "text": f"<b>{text}</b>", "xref": "paper", "x": 0, "xanchor": "left", "yref": "paper",
        "y": 1, "yanchor": "bottom", "yshift": 4, "showarrow": False, "borderpad": 3,
        "font": {"size": 12, "color": _STAMP_INK}, "bgcolor": _STAMP_GROUND,
    }  # fmt: skip


def points(
    values: Sequence[float],
    rows: Sequence[int],
    colours: Sequence[str],
    hovers: Sequence[str],
    **marker: Any,
) -> Figure:
    """Return one point a row."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(values),
        "y": [row + _MARK for row in rows],
        "marker": {"size": 12, "color": list(colours), "opacity": 1} | marker,
        "hovertext": list(hovers),
        "hoverinfo": "text",
        "showlegend": False,
    }


def zero_line() -> Figure:
    """Return the line at which nobody is ahead."""
    return {
        "type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
        "line": {"width": 1.5, "dash": "dot", "color": "#888888"},
    }  # fmt: skip


def whisker(row: int, low: float, high: float, colour: str) -> Figure:
    """Return an interval as a shape: error bars of one trace cannot differ in colour."""
    line = {"width": 2.5, "color": colour}
    at = row + _MARK
    return {
        "type": "line", "x0": low, "x1": high, "y0": at, "y1": at, "line": line,
        "layer": "below",
    }  # fmt: skip


def bars(
    shares: Sequence[float],
    *,
    name: str,
    texts: Sequence[str],
    hovers: Sequence[str],
    colour: str,
    ink: str,
    widths: Sequence[float],
) -> Figure:
    """Return one part of each row's bar, in per cent."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": list(shares),
        "y": list(range(len(shares))),
        "offset": -0.12,
        "width": list(widths),
        "marker": {"color": colour},
        "text": list(texts),
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"color": ink, "size": 12},
        "hovertext": list(hovers),
        "hoverinfo": "text",
        "showlegend": False,
    }


def stacked_shares(title: str) -> tuple[Figure, Figure]:
    """Return what a layout and its x axis say of bars that sum to 100 %."""
    layout = {
        "barmode": "stack",
        # A label that does not fit its bar is left out rather than turned or shrunk.
        "uniformtext": {"mode": "hide", "minsize": 11},
    }
    axis = {
        "range": [0, 100],
        "tickvals": [0, 25, 50, 75, 100],
        "ticktext": ["0", "25", "50", "75", "100 %"],
        "title": {"text": title, "standoff": 8},
    }
    return layout, axis
