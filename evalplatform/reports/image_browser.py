"""The browser of a campaign's image sets: filter, order, cards."""

from typing import Any

from django.db.models import prefetch_related_objects
from django.http import QueryDict

from evalplatform.campaigns.models import Campaign
from evalplatform.reports.image_cards import cards_of
from evalplatform.reports.image_query import (
    PER_PAGE,
    SetFilter,
    choices_of,
    criterion_of,
    find_items,
)


def browser_context(campaign: Campaign, params: QueryDict) -> dict[str, Any]:
    """Return what `reports/tabs/_image_browser.html` shows for an address."""
    prefetch_related_objects([campaign], "criteria", "prompt_sets")
    asked = SetFilter.of(campaign, params)
    page = find_items(campaign, asked)
    criterion = criterion_of(campaign, asked)
    return {
        "asked": asked,
        "choices": choices_of(campaign),
        "page": page,
        "per_page": PER_PAGE,
        "cards": cards_of(campaign, criterion, page.items, asked.query) if criterion else [],
    }
