"""A campaign's way from samples to its close."""

from django.utils import timezone

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.protocol import protocol_hash, protocol_of
from evalplatform.campaigns.sample_faults import SampleFaults
from evalplatform.campaigns.transparent_arms import transparency_in_protocol
from evalplatform.campaigns.walking import wanted_parts
from evalplatform.generation.sample_keys import SampleKeys
from evalplatform.generation.services import enqueue_samples, open_request, plan_keys


def start_generation(
    *, campaign: Campaign, priority: int | None = None, budget_seconds: int | None = None
) -> SampleKeys:
    """Plan every arm's samples for every prompt, queue what is missing, return them all.

    Priority and budget (seconds of worker time) replace what the campaign's request had.
    """
    samples = SampleKeys(
        key
        for arm in campaign.contenders
        if arm.checkpoint
        for key in plan_keys(
            checkpoint=arm.checkpoint,
            settings=campaign.sampler_settings,
            parts=wanted_parts(campaign),
        )
    )
    if samples:  # of collections alone nothing is asked of the workers
        request = open_request(
            project=campaign.project,
            name=campaign.slug,
            priority=priority,
            budget_seconds=budget_seconds,
        )
        enqueue_samples(samples=samples, request=request)
    Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.DRAFT).update(
        status=Campaign.Status.GENERATING
    )
    campaign.refresh_from_db(fields=["status"])
    return samples


def freeze_protocol(*, campaign: Campaign, faults: SampleFaults) -> None:
    """Write the protocol and its hash, and mark the campaign open, in one update.

    `faults`: what is wrong with the images it shows. Raises as `transparency_in_protocol` does
    where an arm's images cannot be read.
    """
    seen = {"samples": faults.as_dict()} | transparency_in_protocol(campaign.contenders, {})
    campaign.protocol = protocol_of(campaign) | seen
    campaign.protocol_sha256 = protocol_hash(campaign.protocol)
    campaign.status = Campaign.Status.OPEN
    campaign.opened_at = timezone.now()
    campaign.save(update_fields=["protocol", "protocol_sha256", "status", "opened_at"])


def close_campaign(*, campaign: Campaign) -> bool:
    """Close an open or paused campaign; return False where it was neither."""
    closed = Campaign.objects.filter(
        pk=campaign.pk, status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED]
    ).update(status=Campaign.Status.CLOSED, closed_at=timezone.now())
    return bool(closed)


def pause_campaign(*, campaign: Campaign) -> bool:
    """Lease no more items; answers to what is shown still count. False if it was not open."""
    paused = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.OPEN)
    return bool(paused.update(status=Campaign.Status.PAUSED))


def resume_campaign(*, campaign: Campaign) -> bool:
    """Open a paused campaign again. False if it was not paused."""
    resumed = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.PAUSED)
    return bool(resumed.update(status=Campaign.Status.OPEN))
