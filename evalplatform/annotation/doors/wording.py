"""What a campaign's door is, in words for researchers."""

from evalplatform.campaigns.crowd_rules import UNSIGNED, Signed
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door


def door_in_words(campaign: Campaign) -> str:
    """Return who may take part in a campaign, such as "invitations: one link a person"."""
    door = campaign.checked_rules.annotation.door
    return f"{door.value}: {_who(campaign, door)}"


def _who(campaign: Campaign, door: Door) -> str:
    if door is Door.INVITATIONS:
        return "one link a person"
    if door is Door.MEMBERS:
        return f"members of the project {campaign.project}, signed in"
    if door is Door.CROWD:
        crowd = campaign.checked_rules.crowd
        ids = UNSIGNED if crowd.signed is Signed.NO else "signed"
        return f"who comes from {crowd.label} ({ids})"
    return "whoever has the link"
