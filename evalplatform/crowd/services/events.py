"""Acting on a message of Prolific's."""

from datetime import datetime

from django.db import transaction
from django.db.models import TextChoices

from evalplatform.annotation.models import CrowdEvent, CrowdVisit
from evalplatform.crowd.services.leaving import is_of, keep_status
from evalplatform.crowd.statuses import is_later
from evalplatform.crowd.webhook import Event


class Received(TextChoices):
    """What became of a message."""

    DONE = "done", "Done"
    KNOWN = "known", "Done before; sent again"
    NOBODY = "nobody", "Nobody here came for that submission"


def receive_event(*, event: Event, now: datetime) -> Received:
    """Do what an event asks for, once however often it is sent."""
    with transaction.atomic():
        # A second one waits here for the first, which holds the id until it is done.
        _, is_new = CrowdEvent.objects.get_or_create(event_id=event.id)
        if not is_new:
            return Received.KNOWN
        visits = [
            visit
            for visit in CrowdVisit.objects.filter(session_id=event.submission)
            .select_related("enrolment__campaign", "enrolment__annotator__crowd_identity")
            .select_for_update(of=["self"])  # a late event must not take back an earlier one
            .order_by("pk")
            if visit.enrolment.campaign.checked_rules.crowd.platform == "prolific"
            and is_of(visit, event.participant)
        ]
        for visit in visits:
            if is_later(event.status, visit.status):
                keep_status(visit=visit, status=event.status, now=now)
    return Received.DONE if visits else Received.NOBODY
