"""Figures as plotly.js reads them: the page draws them, on the site and offline alike.

In figures arms are their letters, always in the same colours; the legend beside the figures says
once, in text that wraps, which is which.
"""

from __future__ import annotations

from html import escape
from typing import Any

from evalplatform.reports.figure_parts import (
    INK,
    Figure,
    bars,
    layout_of,
    points,
    row_label,
    stacked_shares,
    whisker,
    zero_line,
)
from evalplatform.reports.order_figures import order_figures
from evalplatform.reports.result_types import CampaignResults, GroupResult
from evalplatform.stats import Estimate

# Blue, grey, orange: distinct without colour vision. Each with the ink of the text upon it, of a
# contrast of 4.5 or more; static/css/dashboard.css has the same colours in the legend.
COLOURS = {"win": "#2b78a6", "tie": "#9aa0a6", "no_majority": "#d3d7db", "lose": "#d07a2d"}
_INKS = {"win": "#ffffff", "tie": INK, "no_majority": INK, "lose": INK}
_NAMES = {"win": "A", "tie": "tie", "no_majority": "divided", "lose": "B"}
_PARTS = {"votes": ("win", "tie", "lose"), "verdicts": ("win", "tie", "no_majority", "lose")}

# What each figure shows; those of orders and grades are named by their criterion.
WORDS = {
    "figure-net": "Net preference: share of votes for A less share for B, with its 95 % interval.",
    "figure-votes": "Shares of the votes for A, for a tie and for B.",
    "figure-verdicts": "Shares of the items by what more than half of their votes say.",
    "figure-order": "Strength: natural log of the odds to be preferred, with its 95 % interval.",
    "figure-grades": "Shares of the grades of each arm’s images.",
}

_LONGEST_LABEL = 36  # characters: what fits a phone
_INDENT = 4  # no-break spaces


def all_figures(results: CampaignResults) -> dict[str, Figure]:
    """Return the figures that have something to show, by the id of their place on the page."""
    made = {
        "figure-net": net_intervals(results),
        "figure-votes": outcome_bars(results, level="votes"),
        "figure-verdicts": outcome_bars(results, level="verdicts"),
    }
    drawn = {name: figure for name, figure in made.items() if figure is not None}
    return drawn | order_figures(results)


def words_of(name: str) -> str:
    """Return what a figure shows, by the id of its place."""
    return WORDS["-".join(name.split("-")[:2])]


def net_intervals(results: CampaignResults) -> Figure | None:
    """Net preference (win - lose) with its 95 % interval, a row a group.

    A point without an interval is hollow. None where no group has an interval: an axis with
    nothing to judge a point by would say more than is known.
    """
    rows = [each for each in results.groups if each.rates.net.value is not None]
    nets = [each.rates.net for each in rows]
    if all(net.low is None for net in nets):
        return None
    colours = [COLOURS[_leader(net)] for net in nets]
    marks = points(
        [100 * (net.value or 0.0) for net in nets],
        range(len(rows)),
        colours,
        [_hover("net", net) for net in nets],
        size=[12 if each.depth == 0 else 9 for each in rows],
        symbol=["circle-open" if net.low is None else "circle" for net in nets],
    )
    figure: Figure = {"data": [marks], "layout": _layout(results, rows)}
    figure["layout"]["xaxis"] |= {
        "range": [-104, 104],
        "tickvals": [-100, -50, 0, 50, 100],
        "ticktext": ["−100", "−50", "0", "+50", "+100 %"],
        "title": {"text": "← B preferred   |   A preferred →", "standoff": 8},
    }
    figure["layout"]["shapes"] = [zero_line()] + [
        whisker(index, 100 * (net.low or 0.0), 100 * (net.high or 0.0), colour)
        for index, (net, colour) in enumerate(zip(nets, colours, strict=True))
        if net.low is not None
    ]
    return figure


def _leader(net: Estimate) -> str:
    """Return whose colour a net preference has: A's or B's where its interval leaves 0 out."""
    if net.low is None or net.high is None or net.low <= 0 <= net.high:
        return "tie"
    return "win" if net.low > 0 else "lose"


def outcome_bars(results: CampaignResults, *, level: str) -> Figure | None:
    """Shares as stacked bars that sum to 100 %; `level` is votes or verdicts. None without any."""
    rows = [each for each in results.groups if _source(each, level).tally.total]
    if not rows:
        return None
    data = [_bar(rows, level, part) for part in _PARTS[level]]
    figure: Figure = {"data": data, "layout": _layout(results, rows)}
    layout, axis = stacked_shares(f"share of {level}")
    figure["layout"] |= layout
    figure["layout"]["xaxis"] |= axis
    return figure


def _bar(rows: list[GroupResult], level: str, part: str) -> Figure:
    tallies = [_source(each, level).tally for each in rows]
    shares = [100 * getattr(tally, part) / tally.total for tally in tallies]
    name = _NAMES[part]
    return bars(
        shares,
        name=name,
        texts=[f"{name} {share:.0f} %" for share in shares],
        hovers=[_hover(name, getattr(_source(each, level), part)) for each in rows],
        colour=COLOURS[part],
        ink=_INKS[part],
        widths=[0.48 if each.depth == 0 else 0.4 for each in rows],
    )


def _layout(results: CampaignResults, rows: list[GroupResult]) -> Figure:
    labels = [_label(index, each) for index, each in enumerate(rows)]
    return layout_of(len(rows), labels, results.short_stamp)


def _label(row: int, group: GroupResult) -> Figure:
    indent = _INDENT * group.depth
    name = escape(shortened(group.prompts, _LONGEST_LABEL - indent))
    text = "\N{NO-BREAK SPACE}" * indent + name
    if not group.depth:
        label = f"<b>{escape(group.criterion_label)}</b> · "
        text = label + escape(shortened(group.prompts, _LONGEST_LABEL - len(group.criterion_label)))
    return row_label(row, text, escape(group.prompts))


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
