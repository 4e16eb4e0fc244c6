"""Who is invited to judge a pool, as the API tells it."""

from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse
from ninja import Schema

from evalplatform.annotation.doors.invitations import invitation_link
from evalplatform.annotation.models import Invitation
from evalplatform.campaigns.models import Campaign
from evalplatform.core.site import site_link


class InvitedOut(Schema):
    """Somebody who was invited; the link is told this once."""

    label: str
    link: str


def invited(
    campaign: Campaign, invitations: Sequence[tuple[Invitation, str]], request: HttpRequest
) -> list[InvitedOut]:
    """Return who was invited, each with the link that is told this once."""
    link = annotators_link(campaign, request)
    return [
        InvitedOut(label=each.label, link=invitation_link(link, secret))
        for each, secret in invitations
    ]


def annotators_link(campaign: Campaign, request: HttpRequest) -> str:
    """Return the link by which annotators come in."""
    return site_link(reverse("annotation:work", args=[campaign.invitation]), request)
