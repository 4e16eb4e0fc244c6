"""Letting people take part in a campaign."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from evalplatform.accounts.models import Annotator, User
from evalplatform.accounts.services import ensure_crowd_annotator
from evalplatform.annotation.doors.arrivals import Arrival
from evalplatform.annotation.doors.invitations import InvitationState, state_of
from evalplatform.annotation.doors.places import NOWHERE, Footprint
from evalplatform.annotation.models import CrowdVisit, Enrolment, Invitation
from evalplatform.campaigns.models import Campaign


class InvitationClosedError(Exception):
    """An invitation lets nobody in (any more): `state` says why."""

    def __init__(self, state: InvitationState) -> None:
        super().__init__(state.value)
        self.state = state


class KnownElsewhereError(Exception):
    """Somebody who came so takes part already, and nothing proves that this is them."""


def enrol(*, campaign: Campaign, annotator: Annotator, footprint: Footprint = NOWHERE) -> Enrolment:
    """Record that the annotator agreed to take part; enrolling twice changes nothing."""
    # A simulated annotator has read no instructions.
    understood_at = timezone.now() if annotator.is_simulated else None
    enrolment, _ = Enrolment.objects.get_or_create(
        campaign=campaign,
        annotator=annotator,
        defaults={"understood_at": understood_at, **footprint.as_dict()},
    )
    return enrolment


def enrol_invited(
    *, campaign: Campaign, invitation_id: int, now: datetime, footprint: Footprint = NOWHERE
) -> Enrolment:
    """Record that whoever has the invitation agreed to take part.

    They are an annotator of their own, or the one whom the invitation names.

    Raises `InvitationClosedError` where it was used or revoked, or has expired meanwhile.
    """
    with transaction.atomic():
        invitation = Invitation.objects.select_for_update().get(pk=invitation_id, campaign=campaign)
        is_used = Enrolment.objects.filter(invitation=invitation).exists()
        state = state_of(invitation, is_used=is_used, now=now)
        if state is not InvitationState.UNUSED:
            raise InvitationClosedError(state)
        return Enrolment.objects.create(
            campaign=campaign,
            annotator=invitation.annotator or Annotator.objects.create(),
            invitation=invitation,
            **footprint.as_dict(),
        )


def enrol_arrival(
    *, campaign: Campaign, arrival: Arrival, footprint: Footprint = NOWHERE
) -> Enrolment:
    """Record that who comes from a crowd platform agreed to take part, and their session there.

    Raises `KnownElsewhereError` where they had begun already and the platform did not sign that
    they come.
    """
    annotator = ensure_crowd_annotator(platform=arrival.platform, external_id=arrival.external_id)
    enrolment, is_new = Enrolment.objects.get_or_create(
        campaign=campaign, annotator=annotator, defaults=footprint.as_dict()
    )
    if not is_new and not arrival.is_proven:
        raise KnownElsewhereError
    record_visit(enrolment=enrolment, arrival=arrival)
    return enrolment


def enrol_member(*, campaign: Campaign, member: User, footprint: Footprint = NOWHERE) -> Enrolment:
    """Record that somebody signed in agreed to take part; each time as the same annotator.

    Reports and exports know that annotator by pseudonym alone.
    """
    own = Enrolment.objects.filter(campaign=campaign, member=member)
    enrolment = own.first()
    if enrolment is not None:
        return enrolment
    try:
        with transaction.atomic():
            return Enrolment.objects.create(
                campaign=campaign,
                annotator=Annotator.objects.create(),
                member=member,
                **footprint.as_dict(),
            )
    except IntegrityError:  # two requests of one person's first visit
        return own.get()


def record_visit(*, enrolment: Enrolment, arrival: Arrival) -> None:
    """Remember for which session of a crowd platform somebody came; once each."""
    _, is_new = CrowdVisit.objects.get_or_create(
        enrolment=enrolment,
        platform=arrival.platform,
        session_id=arrival.session_id,
        defaults={"study_id": arrival.study_id, "is_proven": arrival.is_proven},
    )
    if is_new and enrolment.status == Enrolment.Status.RETURNED:
        enrolment.status = Enrolment.Status.ACTIVE
        enrolment.save(update_fields=["status"])
