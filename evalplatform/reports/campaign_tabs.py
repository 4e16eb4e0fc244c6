"""The frame of a campaign's page: its tabs, and what each shows above its own content."""

from typing import Any

from django.urls import reverse

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.selectors import with_simulated_votes, with_votes_of_people
from evalplatform.reports.steps import steps_of
from evalplatform.tallies.selectors import vote_counts

SIMULATED = "SIMULATED: votes of simulated annotators, not of people, are among these."
ALL_SIMULATED = "SIMULATED: all votes were cast by simulated annotators, not by people."

# (name of the route, what the tab is called); the first is the campaign's own address.
TABS = (
    ("reports:dashboard", "Overview"),
    ("reports:results", "Results"),
    ("reports:images", "Images"),
    ("reports:people", "People"),
    ("reports:quality", "Quality"),
    ("reports:protocol", "Protocol"),
    ("exports:tab", "Export"),
)


def tab_context(campaign: Campaign, shown: str, *, may_edit: bool) -> dict[str, Any]:
    """Return what `reports/campaign.html` shows; `shown` is the route of the tab."""
    links = [(label, reverse(route, args=[campaign.slug]), route == shown) for route, label in TABS]
    return {
        "campaign": campaign,
        "on_site": True,
        "may_edit": may_edit,
        "may_add_arm": may_edit and campaign.may_grow,
        "life": steps_of(campaign),
        "tab_links": links,
        "tab_label": dict(TABS)[shown],
        # Tabs that read the results say how many votes were.
        "stamp": _stamp(campaign),
        "vote_counts": vote_counts([campaign])[campaign.pk],
        "imported": campaign.imported_note,
        "people_url": reverse("reports:people", args=[campaign.slug]),
        "quality_url": reverse("reports:quality", args=[campaign.slug]),
    }


def _stamp(campaign: Campaign) -> str:
    if not with_simulated_votes([campaign]):
        return ""
    return SIMULATED if with_votes_of_people([campaign]) else ALL_SIMULATED
