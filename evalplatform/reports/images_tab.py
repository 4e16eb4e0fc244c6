"""The tab with the images that annotators judge."""

from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.sets_on_page import first_sets


def images_context(campaign: Campaign, *, offline: bool = False) -> dict[str, Any]:
    """Return what `reports/tabs/_images.html` shows."""
    return {"sets": first_sets(campaign, offline=offline)}
