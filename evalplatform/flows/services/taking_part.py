"""Annotators of a flow: they agree once, and are led from batch to batch."""

from collections.abc import Callable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.doors.places import NOWHERE, Footprint
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services import enrol
from evalplatform.campaigns.models import Campaign
from evalplatform.flows.models import Flow, FlowBatch, FlowConsent
from evalplatform.flows.services.ending import settle


def agree(*, flow: Flow, annotator: Annotator, now: datetime) -> None:
    """Record that an annotator agreed to take part in a flow; twice changes nothing."""
    FlowConsent.objects.get_or_create(
        flow=flow, annotator=annotator, defaults={"consented_at": now}
    )


def enrol_in_next(
    *,
    flow: Flow,
    annotator: Annotator,
    now: datetime,
    footprint: Callable[[Campaign], Footprint] = lambda campaign: NOWHERE,
) -> Campaign | None:
    """Enrol in the open batch whose deadline is next and that has something for this person.

    The caller knows that they agreed to the flow. Returns its campaign; None where there is none
    just now.
    """
    for batch in _with_something(flow, annotator, now):
        if settle(batch=batch, now=now):
            continue
        assert batch.campaign  # flow_batch_open_has_a_campaign
        where = footprint(batch.campaign)
        enrol(campaign=batch.campaign, annotator=annotator, footprint=where)
        return batch.campaign
    return None


def _with_something(flow: Flow, annotator: Annotator, now: datetime) -> "QuerySet[FlowBatch]":
    """Return open batches with a slot that this annotator holds or could take."""
    slots = Assignment.objects.main().pending().filter(campaign=OuterRef("campaign"))
    theirs = slots.filter(annotator=annotator)
    met = Assignment.objects.filter(item=OuterRef("item"), annotator=annotator)
    free = (
        slots.filter(Q(annotator=None) | Q(lease_expires_at__lt=now))
        .exclude(Exists(met))
        .exclude(item__releases__annotator=annotator)
    )
    # One who gave a batch back, or was put out of it, is not led into it again.
    out = Enrolment.objects.filter(campaign=OuterRef("campaign"), annotator=annotator).exclude(
        status=Enrolment.Status.ACTIVE
    )
    return (
        flow.batches.filter(status=FlowBatch.Status.OPEN, campaign__status=Campaign.Status.OPEN)
        .filter(Exists(theirs) | Exists(free))
        .exclude(Exists(out))
        .select_related("campaign", "flow")
        .order_by("deadline_at", "number")
    )
