"""Plotly figures as JSON: the page draws them with plotly.js, on the site and offline alike."""

import json
from typing import Any

import plotly.graph_objects as go

from evalplatform.reports.results import CampaignResults, GroupResult
from evalplatform.stats import Estimate

# Blue, grey, orange: distinct without colour vision, readable on light and dark ground.
COLOURS = {"win": "#2f7fae", "tie": "#9aa0a6", "lose": "#d07a2d"}
_ROW_PX = 58


def outcome_bars(results: CampaignResults, *, level: str) -> dict[str, Any]:
    """Win, tie and lose as stacked bars that sum to 100 %; `level` is votes or verdicts."""
    figure = go.Figure()
    labels = [_label(group) for group in results.groups]
    names = {
        "win": f"{results.campaign.checkpoint_a.name} wins",
        "tie": "tie",
        "lose": f"{results.campaign.checkpoint_b.name} wins",
    }
    for part, name in names.items():
        estimates = [getattr(_source(group, level), part) for group in results.groups]
        shares = [100 * getattr(_source(group, level).tally, part) / _total(group, level)
                  for group in results.groups]  # fmt: skip
        figure.add_bar(
            y=labels,
            x=shares,
            name=name,
            orientation="h",
            marker_color=COLOURS[part],
            text=[f"{share:.0f} %" if share >= 6 else "" for share in shares],
            textposition="inside",
            insidetextanchor="middle",
            textfont_color="#ffffff" if part != "tie" else "#1d1f21",
            hovertext=[_hover(name, estimate) for estimate in estimates],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack", xaxis_title="share of " + level + ", %")
    figure.update_xaxes(range=[0, 100])
    return _finish(figure, results, rows=len(labels))


def net_intervals(results: CampaignResults) -> dict[str, Any]:
    """Net preference (win - lose) with its 95 % interval, one row a group."""
    figure = go.Figure()
    defined = [group for group in results.groups if group.rates.net.is_defined]
    nets = [group.rates.net for group in defined]
    values = [100 * _number(net.value) for net in nets]
    figure.add_scatter(
        y=[_label(group) for group in defined],
        x=values,
        mode="markers",
        marker={"size": 11, "color": COLOURS["win"]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [
                100 * _number(net.high) - value for net, value in zip(nets, values, strict=True)
            ],
            "arrayminus": [
                value - 100 * _number(net.low) for net, value in zip(nets, values, strict=True)
            ],
            "thickness": 2.5,
            "width": 8,
            "color": COLOURS["win"],
        },
        hovertext=[_hover("net", net) for net in nets],
        hoverinfo="text",
        showlegend=False,
    )
    figure.add_vline(x=0, line_width=1.5, line_dash="dot", line_color="#888888")
    a, b = results.campaign.checkpoint_a.name, results.campaign.checkpoint_b.name
    title = f"← {b} preferred    net, percentage points    {a} preferred →"
    figure.update_layout(xaxis_title=title)
    figure.update_xaxes(range=[-103, 103], zeroline=False)
    return _finish(figure, results, rows=len(defined))


def _finish(figure: go.Figure, results: CampaignResults, *, rows: int) -> dict[str, Any]:
    stamp = results.simulated_stamp
    figure.update_layout(
        template="none",
        height=150 + _ROW_PX * max(rows, 1),
        margin={"l": 10, "r": 16, "t": 56 if stamp else 34, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        bargap=0.35,
    )
    figure.update_yaxes(autorange="reversed", automargin=True, ticks="", showgrid=False)
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)", automargin=True)
    if stamp:
        # Inside the plot, so that a copied or downloaded picture keeps it.
        figure.add_annotation(
            text=f"<b>{stamp}</b>", xref="paper", yref="paper", x=0, y=1.0, yshift=44,
            showarrow=False, xanchor="left", font={"size": 12, "color": "#b4530a"},
        )  # fmt: skip
        figure.update_layout(margin_t=84)
    figure_json: dict[str, Any] = json.loads(figure.to_json())
    return figure_json


def _label(group: GroupResult) -> str:
    return f"{group.criterion_label}<br><i>{group.prompts}</i>"


def _source(group: GroupResult, level: str) -> Any:
    return group.rates if level == "votes" else group.verdicts


def _total(group: GroupResult, level: str) -> int:
    total: int = _source(group, level).tally.total
    return total


def _number(value: float | None) -> float:
    if value is None:
        raise ValueError("an undefined estimate has no place in this figure")
    return value


def _hover(name: str, estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"{name}: {estimate.reason}"
    return (
        f"{name}: {100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
        f"<br>{estimate.n_votes:,} {estimate.estimand}"
    )


def all_figures(results: CampaignResults) -> dict[str, dict[str, Any]]:
    """Return every figure of the dashboard by the id of its place on the page."""
    if not results.groups:
        return {}
    return {
        "figure-net": net_intervals(results),
        "figure-votes": outcome_bars(results, level="votes"),
        "figure-verdicts": outcome_bars(results, level="verdicts"),
    }
