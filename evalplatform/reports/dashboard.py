"""The dashboard as one HTML file that opens offline: all tabs of the campaign's page in one."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.template.loader import render_to_string

from evalplatform.reports.figures import all_figures, words_of
from evalplatform.reports.images_tab import images_context
from evalplatform.reports.overview_tab import overview_context
from evalplatform.reports.people_tab import people_context
from evalplatform.reports.protocol_tab import protocol_context
from evalplatform.reports.quality_tab import quality_context
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.results_tab import results_context

STYLES = ("site", "components/frame", "components/figures", "components/data", "components/pairs",
          "dashboard")  # fmt: skip


def stamps_context(results: CampaignResults) -> dict[str, Any]:
    """Return what every tab says first, and of which campaign it is."""
    counts = results.safety.counts if results.safety else None
    return {
        "results": results,
        "campaign": results.campaign,
        "stamp": results.simulated_stamp,
        "imported": results.imported_stamp,
        "filtered_of": f"of {counts.prompts:,}" if counts else "",
    }


def dashboard_context(results: CampaignResults, *, offline: bool = False) -> dict[str, Any]:
    """Return what all tabs show, and the interactive figures."""
    return (
        stamps_context(results)
        | overview_context(results, offline=offline)
        | results_context(results, offline=offline)
        | images_context(results.campaign, offline=offline)
        | people_context(results)
        | quality_context(results)
        | protocol_context(results.campaign, results)
        | figures_context(results)
    )


def figures_context(results: CampaignResults) -> dict[str, Any]:
    """Return the interactive figures by the ids of their places, and what each shows."""
    figures = all_figures(results)
    return {"figures": figures, "figure_words": [(name, words_of(name)) for name in figures]}


def offline_dashboard(results: CampaignResults) -> str:
    """Return the dashboard as one HTML file with everything inside: no server, no network."""
    static = Path(settings.FILES_DIR) / "static"
    context = dashboard_context(results, offline=True) | {
        "icon": "data:image/svg+xml," + quote((static / "icon.svg").read_text()),
        "css": "".join((static / f"css/{name}.css").read_text() for name in STYLES),
        "dashboard_js": (static / "js/dashboard.js").read_text(),
        "plotly_js": (static / "vendor/plotly/plotly-basic.min.js").read_text(),
    }
    return render_to_string("reports/dashboard_offline.html", context)
