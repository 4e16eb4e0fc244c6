"""Figures as plotly.js reads them: the page draws them, on the site and offline alike.

In figures the checkpoints are A and B, always in the same colours; the legend beside the figures
says once, in text that wraps, which is which.
"""

from __future__ import annotations

from html import escape
from typing import Any

from evalplatform.reports.results import CampaignResults, GroupResult
from evalplatform.stats import Estimate

Figure = dict[str, Any]

# Blue, grey, orange: distinct without colour vision. Each with the ink of the text upon it, of a
# contrast of 4.5 or more; static/css/dashboard.css has the same colours in the legend.
COLOURS = {"win": "#2b78a6", "tie": "#9aa0a6", "no_majority": "#d3d7db", "lose": "#d07a2d"}
INK = "#1d1f21"
_INKS = {"win": "#ffffff", "tie": INK, "no_majority": INK, "lose": INK}
_NAMES = {"win": "A", "tie": "tie", "no_majority": "divided", "lose": "B"}
_PARTS = {"votes": ("win", "tie", "lose"), "verdicts": ("win", "tie", "no_majority", "lose")}
_STAMP_INK, _STAMP_GROUND = "#6b4200", "#fdf0d5"

_ROW_PX = 52
_AXIS_PX = 52
_STAMP_PX = 30
_LONGEST_LABEL = 36  # characters: what fits a phone
_INDENT = 4  # no-break spaces
_MARK = 0.06  # how far below the middle of its row, under the label, a mark stands


def all_figures(results: CampaignResults) -> dict[str, Figure]:
    """Return the figures that have something to show, by the id of their place on the page."""
    made = {
        "figure-net": net_intervals(results),
        "figure-votes": outcome_bars(results, level="votes"),
        "figure-verdicts": outcome_bars(results, level="verdicts"),
    }
    return {name: figure for name, figure in made.items() if figure is not None}


def net_intervals(results: CampaignResults) -> Figure | None:
    """Net preference (win - lose) with its 95 % interval, a row a group.

    A point without an interval is hollow. None where no group has an interval: an axis with
    nothing to judge a point by would say more than is known.
    """
    rows = [each for each in results.groups if each.rates.net.value is not None]
    nets = [each.rates.net for each in rows]
    if all(net.low is None for net in nets):
        return None
    values = [100 * (net.value or 0.0) for net in nets]
    colours = [COLOURS[_leader(net)] for net in nets]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": values,
        "y": [index + _MARK for index in range(len(rows))],
        "marker": {
            "size": [12 if each.depth == 0 else 9 for each in rows],
            "color": colours,
            "opacity": 1,
            "symbol": ["circle-open" if net.low is None else "circle" for net in nets],
        },
        "hovertext": [_hover("net", net) for net in nets],
        "hoverinfo": "text",
        "showlegend": False,
    }
    figure: Figure = {"data": [points], "layout": _layout(results, rows)}
    figure["layout"]["xaxis"] |= {
        "range": [-104, 104],
        "tickvals": [-100, -50, 0, 50, 100],
        "ticktext": ["−100", "−50", "0", "+50", "+100 %"],
        "title": {"text": "← B preferred   |   A preferred →", "standoff": 8},
    }
    figure["layout"]["shapes"] = [
        {
            "type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"width": 1.5, "dash": "dot", "color": "#888888"},
        }
    ] + [
        _whisker(index + _MARK, net, colour)
        for index, (net, colour) in enumerate(zip(nets, colours, strict=True))
        if net.low is not None
    ]  # fmt: skip
    return figure


def _leader(net: Estimate) -> str:
    """Return whose colour a net preference has: A's or B's where its interval leaves 0 out."""
    if net.low is None or net.high is None or net.low <= 0 <= net.high:
        return "tie"
    return "win" if net.low > 0 else "lose"


def _whisker(row: float, net: Estimate, colour: str) -> Figure:
    """Return an interval as a shape: error bars of one trace cannot differ in colour."""
    low, high = 100 * (net.low or 0.0), 100 * (net.high or 0.0)
    line = {"width": 2.5, "color": colour}
    return {
        "type": "line", "x0": low, "x1": high, "y0": row, "y1": row, "line": line,
        "layer": "below",
    }  # fmt: skip


def outcome_bars(results: CampaignResults, *, level: str) -> Figure | None:
    """Shares as stacked bars that sum to 100 %; `level` is votes or verdicts. None without any."""
    rows = [each for each in results.groups if _source(each, level).tally.total]
    if not rows:
        return None
    data = [_bar(rows, level, part) for part in _PARTS[level]]
    figure: Figure = {"data": data, "layout": _layout(results, rows)}
    figure["layout"] |= {
        "barmode": "stack",
        # A label that does not fit its bar is left out rather than turned or shrunk.
        "uniformtext": {"mode": "hide", "minsize": 11},
    }
    figure["layout"]["xaxis"] |= {
        "range": [0, 100],
        "tickvals": [0, 25, 50, 75, 100],
        "ticktext": ["0", "25", "50", "75", "100 %"],
        "title": {"text": f"share of {level}", "standoff": 8},
    }
    return figure


def _bar(rows: list[GroupResult], level: str, part: str) -> Figure:
    tallies = [_source(each, level).tally for each in rows]
    shares = [100 * getattr(tally, part) / tally.total for tally in tallies]
    estimates = [getattr(_source(each, level), part) for each in rows]
    return {
        "type": "bar",
        "orientation": "h",
        "name": _NAMES[part],
        "x": shares,
        "y": list(range(len(rows))),
        "offset": -0.12,
        "width": [0.48 if each.depth == 0 else 0.4 for each in rows],
        "marker": {"color": COLOURS[part]},
        "text": [f"{_NAMES[part]} {share:.0f} %" for share in shares],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"color": _INKS[part], "size": 12},
        "hovertext": [_hover(_NAMES[part], estimate) for estimate in estimates],
        "hoverinfo": "text",
        "showlegend": False,
    }


def _layout(results: CampaignResults, rows: list[GroupResult]) -> Figure:
    """Return what all figures share: rows from top to bottom, each with its label above it."""
    stamp = results.short_stamp
    return {
        "height": (_STAMP_PX if stamp else 0) + _ROW_PX * len(rows) + _AXIS_PX,
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
            "range": [len(rows) - 0.5, -0.5],
            "visible": False,
            "fixedrange": True,
        },
        "annotations": [_label(index, each) for index, each in enumerate(rows)]
        + ([_stamp(stamp)] if stamp else []),
    }


def _label(row: int, group: GroupResult) -> Figure:
    indent = _INDENT * group.depth
    name = escape(shortened(group.prompts, _LONGEST_LABEL - indent))
    text = "\N{NO-BREAK SPACE}" * indent + name
    if not group.depth:
        label = f"<b>{escape(group.criterion_label)}</b> · "
        text = label + escape(shortened(group.prompts, _LONGEST_LABEL - len(group.criterion_label)))
    return {
        "text": text, "xref": "paper", "x": 0, "xanchor": "left", "y": row - 0.5,
        "yanchor": "top", "showarrow": False, "align": "left", "borderpad": 0,
        "hovertext": escape(group.prompts),
    }  # fmt: skip


def _stamp(text: str) -> Figure:
    """Return the stamp, inside the picture: one that is copied or downloaded keeps it."""
    return {
        "text": f"<b>{text}</b>", "xref": "paper", "x": 0, "xanchor": "left", "yref": "paper",
        "y": 1, "yanchor": "bottom", "yshift": 4, "showarrow": False, "borderpad": 3,
        "font": {"size": 12, "color": _STAMP_INK}, "bgcolor": _STAMP_GROUND,
    }  # fmt: skip


def shortened(name: str, longest: int) -> str:
    """Return a long name with its middle left out: its version and part stand at its end."""
    if len(name) <= longest:
        return name
    half = (longest - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _source(group: GroupResult, level: str) -> Any:
    return group.rates if level == "votes" else group.verdicts


def _hover(name: str, estimate: Estimate) -> str:
    if estimate.value is None:
        return f"{name}: {estimate.reason}"
    counted = f"<br>{estimate.n_votes:,} {estimate.estimand}"
    if estimate.low is None or estimate.high is None:
        return f"{name}: {100 * estimate.value:.1f} %{counted}<br>{estimate.reason}"
    interval = f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    return f"{name}: {100 * estimate.value:.1f} % {interval}{counted}"
