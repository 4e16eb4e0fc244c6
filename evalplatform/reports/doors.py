"""Who may take part in a campaign, and who began at one place: never kept with its results."""

from datetime import datetime
from typing import Any

from evalplatform.annotation.doors.places import shared_places
from evalplatform.annotation.doors.wording import door_in_words
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door


def door_context(campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return what the dashboard's page shows of these; files that go round have none of it."""
    return {
        "door": door_in_words(campaign),
        "has_invitations": campaign.checked_rules.annotation.door is Door.INVITATIONS,
        "places": shared_places(campaign, now),
    }
