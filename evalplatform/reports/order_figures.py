"""Figures of more than two arms: strengths with their intervals, and shares of grades."""

from __future__ import annotations

from statistics import median

from evalplatform.core.words import counted
from evalplatform.reports.cells import percent
from evalplatform.reports.figure_parts import (
    Figure,
    bars,
    layout_of,
    points,
    row_label,
    stacked_shares,
    whisker,
    zero_line,
)
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.gallery_table import grade_names
from evalplatform.reports.orders import ranks
from evalplatform.reports.result_types import CampaignResults
from evalplatform.stats import Standing

# The arms' colours, as in static/css/dashboard.css; the first two are those of a comparison.
ARM_COLOURS = (
    "#2b78a6", "#d07a2d", "#2f7a4b", "#7f56aa", "#b0413a", "#756528", "#23767a", "#6b7280",
)  # fmt: skip
_WIDEST = 3  # times the median interval: a wider one leaves the picture
# From bad to good, distinct without colour vision, each with the ink of the text upon it.
_GRADE_COLOURS = {
    2: (("#d07a2d", "#1d1f21"), ("#2b78a6", "#ffffff")),
    3: (("#d07a2d", "#1d1f21"), ("#d3d7db", "#1d1f21"), ("#2b78a6", "#ffffff")),
    5: (
        ("#b5591a", "#ffffff"), ("#e5a566", "#1d1f21"), ("#d3d7db", "#1d1f21"),
        ("#7fb2d2", "#1d1f21"), ("#1f6690", "#ffffff"),
    ),
}  # fmt: skip


def order_figures(results: CampaignResults) -> dict[str, Figure]:
    """Return a figure of each criterion on all prompts, by the id of its place on the page."""
    made: dict[str, Figure | None] = {}
    for each in results.galleries:
        if not each.depth:
            made[f"figure-order-{each.criterion}"] = strengths(each, results.short_stamp)
    for graded in results.gradings:
        if not graded.depth:
            made[f"figure-grades-{graded.criterion}"] = grades(graded, results.short_stamp)
    return {name: figure for name, figure in made.items() if figure is not None}


def colour_of(letter: str) -> str:
    """Return an arm's colour; those beyond the eighth share the last."""
    place = ord(letter) - ord("A") if len(letter) == 1 else len(ARM_COLOURS)
    return ARM_COLOURS[min(place, len(ARM_COLOURS) - 1)]


def strengths(found: GalleryResult, stamp: str) -> Figure | None:
    """Strengths with their 95 % intervals, best first. None where no arm has an interval.

    An arm without a strength (it won or lost everything) has a row that says so, and so has one of
    an interval far wider than most, as of an arm that two people judged: it leaves the picture, in
    which all others would be too small to read.
    """
    standings = found.ranking.standings
    if all(each.low is None for each in standings):
        return None
    rows = [each for each in standings if each.low is not None]
    places = {each.arm: index for index, each in enumerate(standings)}
    marks = points(
        [each.value or 0.0 for each in rows],
        [places[each.arm] for each in rows],
        [colour_of(str(each.arm)) for each in rows],
        [
            f"{each.arm}: {each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
            f"<br>{counted(each.n_votes, 'vote')}"
            for each in rows
        ],
    )
    widest = _WIDEST * median(_half_width(each) for each in rows)
    labels = []
    for index, each in enumerate(standings):
        said = [f"<b>{each.arm}</b> · rank {ranks(each.rank_low, each.rank_high)}", each.unbounded]
        if each.low is not None and _half_width(each) > widest:
            said.append("wider than shown")
        labels.append(row_label(index, " · ".join(filter(None, said))))
    figure: Figure = {"data": [marks], "layout": layout_of(len(standings), labels, stamp)}
    reach = 1.08 * max(abs(each.value or 0.0) + min(_half_width(each), widest) for each in rows)
    figure["layout"]["xaxis"] |= {
        "range": [-reach, reach],
        "nticks": 7,
        "title": {"text": "← weaker   |   strength   |   stronger →", "standoff": 8},
    }
    figure["layout"]["shapes"] = [zero_line()] + [
        whisker(places[each.arm], each.low or 0.0, each.high or 0.0, colour_of(str(each.arm)))
        for each in rows
    ]
    return figure


def _half_width(standing: Standing) -> float:
    return ((standing.high or 0.0) - (standing.low or 0.0)) / 2.0


def grades(found: GradeResult, stamp: str) -> Figure | None:
    """The share of each grade as stacked bars that sum to 100 %, best arm first."""
    ratings, names = found.ratings.ratings, grade_names(found)
    data = []
    for name, grade, (colour, ink) in zip(
        names, found.ratings.grades, _GRADE_COLOURS[len(names)], strict=True
    ):
        estimates = [each.shares[grade] for each in ratings]
        shares = [100 * (share.value or 0.0) for share in estimates]
        texts = [f"{name}: {share:.0f} %" for share in shares]
        hovers = [f"{name}: {percent(share)} %" for share in estimates]
        data.append(
            bars(
                shares, name=name, texts=texts, hovers=hovers, colour=colour, ink=ink,
                widths=[0.48] * len(shares),
            )
        )  # fmt: skip
    labels = [
        row_label(index, f"<b>{each.arm}</b> · mean {each.mean.value:.2f}")
        for index, each in enumerate(ratings)
    ]
    figure: Figure = {"data": data, "layout": layout_of(len(ratings), labels, stamp)}
    layout, axis = stacked_shares("share of grades")
    figure["layout"] |= layout
    figure["layout"]["xaxis"] |= axis
    return figure
