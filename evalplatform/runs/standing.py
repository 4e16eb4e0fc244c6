"""Where a run stands, for who only looks."""

from datetime import datetime

from evalplatform.campaigns.holding import why_held
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import (
    image_places,
    planned_prompts,
    planned_sets,
    ready_pictures,
    sets_of_pictures,
)
from evalplatform.generation.awaiting import why_none_come
from evalplatform.generation.overview import request_row
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.safety.selectors import safety_progress


def standing_of(campaign: Campaign, now: datetime) -> RunProgress:
    """Return where a run stands, with what hinders it as the note; nothing is done for it.

    Ready is what has all its images, checked where its rules ask for that, and no more faulty ones
    than its rules let through; opening makes its gold.
    """
    if campaign.status == Campaign.Status.CLOSED:
        return RunProgress(RunState.CLOSED)
    if campaign.is_frozen:
        return RunProgress(RunState.OPEN)
    prompts = planned_prompts(campaign)
    ready = ready_pictures(campaign, prompts)
    pictures = list(ready.values())
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
    planned = planned_sets(campaign, prompts)
    if reason := why_held(campaign, sets_of_pictures(campaign, prompts, planned, ready)):
        return RunProgress(RunState.HELD, note=str(reason))
    return RunProgress(RunState.READY)
