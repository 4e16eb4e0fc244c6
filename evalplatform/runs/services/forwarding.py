"""Bringing a launched draft forward while nobody types a command: a worker advances its run."""

from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Q

from evalplatform.campaigns.selectors import all_pictures, ready_sets
from evalplatform.core.errors import EvalPlatformError
from evalplatform.generation.selectors import NO_WORKER, live_workers
from evalplatform.runs.models import Draft
from evalplatform.runs.services.running import advance_run
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.safety.services import request_checks

TASK = "runs.bring_forward"
_PAUSE = timedelta(seconds=10)


def ask_forward(*, draft: Draft, now: datetime) -> bool:
    """Ask a worker to bring a draft's campaign forward; False where none needs to be asked.

    It was asked within ten seconds, nothing was made of the draft, or its campaign has opened.
    """
    if draft.campaign is None or draft.campaign.is_frozen:
        return False
    due = Draft.objects.filter(Q(forwarded_at=None) | Q(forwarded_at__lt=now - _PAUSE), pk=draft.pk)
    if not due.update(forwarded_at=now):
        return False
    transaction.on_commit(
        lambda: current_app.send_task(TASK, args=[draft.pk], queue="default"), robust=True
    )
    return True


def bring_forward(*, draft: Draft, now: datetime) -> RunState | None:
    """Advance a launched draft's run, and keep with the draft what it waits for, in words.

    Samples that nobody is to make are queued again, safety checks that are missing are asked for.
    It never opens the campaign: a person does. Returns where the run stands; None where workers
    gave up or nothing was made of the draft.
    """
    if draft.campaign is None:
        return None
    try:
        progress = advance_run(campaign=draft.campaign, now=now)
        state, waits_for = progress.state, _in_words(progress, now)
    except EvalPlatformError as error:
        state, waits_for = None, str(error)
    Draft.objects.filter(pk=draft.pk).update(waits_for=waits_for)
    return state


def check_again(*, draft: Draft, now: datetime) -> None:
    """Have what a worker could not check for safety tried again, and the draft brought forward."""
    campaign = draft.campaign
    if campaign is None or campaign.is_frozen:
        return
    rules = campaign.checked_rules.safety
    if rules.threshold is not None:
        pictures = all_pictures(ready_sets(campaign))
        request_checks(pictures=pictures, detector=rules.detector, now=now)
    Draft.objects.filter(pk=draft.pk).update(waits_for="")
    ask_forward(draft=draft, now=now)


def _in_words(progress: RunProgress, now: datetime) -> str:
    counted = f"{progress.done:,} of {progress.total:,}"
    if progress.state is RunState.GENERATING:
        return f"It waits for its images: {counted} are made."
    if progress.state is RunState.CHECKING:
        worker = "" if live_workers(now) else f" {NO_WORKER}"
        return f"It waits for the safety check of its images: {counted} are checked.{worker}"
    return progress.note


def forward_finished(sender: Any, *, name: str, now: datetime, **_: Any) -> None:
    """Once the images of a draft's campaign are made, have what comes next begin."""
    draft = Draft.objects.select_related("campaign").filter(campaign__slug=name).first()
    if draft is not None:
        ask_forward(draft=draft, now=now)
