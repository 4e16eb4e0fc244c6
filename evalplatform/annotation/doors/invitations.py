"""Reading invitations: whom they let in, and how far each is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from evalplatform.annotation.models import Invitation
from evalplatform.campaigns.models import Campaign
from evalplatform.core.csv_text import csv_text
from evalplatform.core.digests import secret_digest


class InvitationState(StrEnum):
    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def label(self) -> str:
        return str(_WORDS[self])


_WORDS = {
    InvitationState.USED: _("Used"),
    InvitationState.UNUSED: _("Unused"),
    InvitationState.EXPIRED: _("Expired"),
    InvitationState.REVOKED: _("Revoked"),
}


@dataclass(frozen=True)
class InvitationLine:
    """One invitation as a list shows it: never which annotator came by it."""

    number: int
    label: str
    state: InvitationState
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


def invitation_by(campaign: Campaign, secret: str) -> Invitation | None:
    """Return the campaign's invitation with this secret."""
    return campaign.invitations.filter(sha256=secret_digest(secret)).first()


def state_of(invitation: Invitation, *, is_used: bool, now: datetime) -> InvitationState:
    """Return how far an invitation is; one that somebody began by is used, whatever came after."""
    if is_used:
        return InvitationState.USED
    if invitation.revoked_at is not None:
        return InvitationState.REVOKED
    if invitation.expires_at is not None and invitation.expires_at <= now:
        return InvitationState.EXPIRED
    return InvitationState.UNUSED


def invitation_lines(campaign: Campaign, now: datetime) -> list[InvitationLine]:
    """Return a campaign's invitations, first made first."""
    return [
        InvitationLine(
            number=each.number,
            label=each.label,
            state=state_of(each, is_used=hasattr(each, "enrolment"), now=now),
            created_at=each.created_at,
            expires_at=each.expires_at,
            used_at=each.enrolment.consented_at if hasattr(each, "enrolment") else None,
        )
        for each in campaign.invitations.select_related("enrolment")
    ]


def invitation_link(link: str, secret: str) -> str:
    """Return the link to send to whom an invitation is for; `link` is the campaign's."""
    return f"{link}?invite={secret}"


def invitations_csv(made: Iterable[tuple[Invitation, str]], link: str) -> str:
    """Return new invitations with their secrets as CSV: number, label, the link to send.

    `link`: the campaign's, as annotators get it.
    """
    records = (
        {"number": each.number, "label": each.label, "link": invitation_link(link, secret)}
        for each, secret in made
    )
    return csv_text(["number", "label", "link"], records)
