"""Where a run stands, for who only looks."""

from datetime import datetime

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import image_places, planned_prompts, ready_pictures
from evalplatform.generation.awaiting import why_none_come
from evalplatform.generation.overview import request_row
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.safety.selectors import safety_progress


def standing_of(campaign: Campaign, now: datetime) -> RunProgress:
    """Return where a run stands, with what hinders it as the note; nothing is done for it.

    Ready is what has all its images, checked where its rules ask for that. Opening makes its gold,
    and refuses more faulty images than its rules let through.
    """
    if campaign.status == Campaign.Status.CLOSED:
        return RunProgress(RunState.CLOSED)
    if campaign.is_frozen:
        return RunProgress(RunState.OPEN)
    prompts = planned_prompts(campaign)
    pictures = list(ready_pictures(campaign, prompts).values())
    total = len(image_places(campaign, prompts)) * len(campaign.contenders)
    if len(pictures) < total:
        note = why_none_come(request_row(campaign.slug, now), now)
        return RunProgress(RunState.GENERATING, len(pictures), total, note)
    rules = campaign.checked_rules.safety
    if rules.threshold is not None:
        checks = safety_progress(rules.detector, pictures)
        if not checks.is_complete:
            note = "".join(checks.failures[:1])
            return RunProgress(RunState.CHECKING, checks.checked, checks.total, note)
    return RunProgress(RunState.READY)
