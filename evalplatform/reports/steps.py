"""Where a campaign stands in its life: from a draft to closed."""

from evalplatform.campaigns.models import Campaign
from evalplatform.core.components import StepShown
from evalplatform.generation.models import Sample

_SCREENING = "Screening"


def steps_of(campaign: Campaign) -> list[StepShown]:
    """Return the steps of a campaign with where it is now; none of imported votes.

    Images are screened for safety where the campaign has a filter, once all are made.
    """
    if campaign.imported_from:
        return []
    names = ["Draft", "Generating", "Open", "Closed"]
    if campaign.checked_rules.safety.threshold is not None:
        names.insert(2, _SCREENING)
    notes = {}
    if campaign.opened_at:
        notes["Open"] = f"{campaign.opened_at:%Y-%m-%d}"
    if campaign.status == Campaign.Status.PAUSED:
        notes["Open"] = "paused"
    if campaign.closed_at:
        notes["Open"] = ""
        notes["Closed"] = f"{campaign.closed_at:%Y-%m-%d}"
    at = _place(campaign, names)
    states = ["done"] * at + ["now"] + ["next"] * len(names)
    return [
        StepShown(name, state, notes.get(name, ""))
        for name, state in zip(names, states, strict=False)
    ]


def _place(campaign: Campaign, names: list[str]) -> int:
    if campaign.status == Campaign.Status.CLOSED:
        return len(names)
    if campaign.status in (Campaign.Status.OPEN, Campaign.Status.PAUSED):
        return names.index("Open")
    if campaign.status == Campaign.Status.DRAFT:
        return 0
    is_screened = _SCREENING in names and not _waits_for_samples(campaign)
    return names.index(_SCREENING if is_screened else "Generating")


def _waits_for_samples(campaign: Campaign) -> bool:
    planned = Sample.objects.filter(status=Sample.Status.PLANNED)
    return planned.filter(batch__request__name=campaign.slug).exists()
