"""How a batch ends: all votes are in, its deadline came, or somebody closed it."""

from datetime import datetime

from django.db import transaction

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.flows.models import Flow, FlowBatch
from evalplatform.tallies.selectors import vote_counts

Status = FlowBatch.Status
_NOT_OPEN = "it was not open before its deadline: no worker of the default queue came to it in time"


def settle(*, batch: FlowBatch, now: datetime) -> bool:
    """End a batch that is over; return whether it has ended.

    Whoever looks at a batch does this first, so that nothing hangs on a worker's clock. The
    instance is as fresh as the row afterwards.
    """
    if batch.status in FlowBatch.ENDED:
        if batch.campaign and batch.campaign.status == Campaign.Status.OPEN:
            close_campaign(campaign=batch.campaign)  # opened while the batch was being closed
        return True
    if batch.status == Status.OPEN:
        assert batch.campaign  # flow_batch_open_has_a_campaign
        # Not `live_numbers`: an annotator who is led on would wait for who is counting.
        if vote_counts([batch.campaign])[batch.campaign.pk].is_complete:
            return end_batch(batch=batch, status=Status.DONE, now=now)
        if batch.campaign.status == Campaign.Status.CLOSED:
            return end_batch(batch=batch, status=Status.CLOSED, now=now)
    if now >= batch.deadline_at:
        reason = "" if batch.status == Status.OPEN else _NOT_OPEN
        return end_batch(batch=batch, status=Status.LATE, now=now, reason=reason)
    return False


def end_batch(
    *, batch: FlowBatch, status: FlowBatch.Status, now: datetime, reason: str = ""
) -> bool:
    """End a batch and close its campaign, in one transaction; True, whoever ended it.

    What was not acknowledged before is kept and counts no more, as of every closed campaign.
    """
    with transaction.atomic():
        locked = FlowBatch.objects.select_for_update().get(pk=batch.pk)
        if locked.status not in FlowBatch.ENDED:
            locked.status, locked.ended_at, locked.reason = status, now, reason
            locked.save(update_fields=["status", "ended_at", "reason"])
            if locked.campaign:
                close_campaign(campaign=locked.campaign)
    batch.refresh_from_db()
    return True


def settle_due(*, now: datetime, flow: Flow | None = None) -> int:
    """End every batch that is over, of one flow or of all; return how many.

    One that cannot be ended keeps no other waiting: what it raises is raised after all of them.
    """
    rows = FlowBatch.objects.exclude(status__in=FlowBatch.ENDED).select_related("campaign", "flow")
    if flow is not None:
        rows = rows.filter(flow=flow)
    ended, faults = 0, []
    for each in rows:
        try:
            with transaction.atomic():
                ended += settle(batch=each, now=now)
        except Exception as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return ended


def close_batch(*, batch: FlowBatch, now: datetime) -> None:
    """End a batch early; what is there stays. Closing one that has ended changes nothing."""
    if not settle(batch=batch, now=now):
        end_batch(batch=batch, status=Status.CLOSED, now=now)


def close_flow(*, flow: Flow, now: datetime) -> None:
    """Take no more batches, and end those under way. Closing twice changes nothing."""
    with transaction.atomic():
        locked = Flow.objects.select_for_update().get(pk=flow.pk)
        if locked.status == Flow.Status.OPEN:
            locked.status, locked.closed_at = Flow.Status.CLOSED, now
            locked.save(update_fields=["status", "closed_at"])
    for batch in flow.batches.exclude(status__in=FlowBatch.ENDED).select_related("campaign"):
        close_batch(batch=batch, now=now)
    flow.refresh_from_db()
