"""From a draft to a campaign whose samples are being made, and on to an open one."""

import traceback
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Rules
from evalplatform.core.database_faults import fault_of
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.storable_json import storable_text
from evalplatform.core.telling import HowFar, Teller
from evalplatform.reports.pay import ASSUMED_SECONDS, site_seconds
from evalplatform.runs.choices import DraftChoices, parse_choices
from evalplatform.runs.models import Draft
from evalplatform.runs.run_plans import plan_of
from evalplatform.runs.services.drafting import DraftConflictError, changes_of_others
from evalplatform.runs.services.forwarding import ask_forward, check_again
from evalplatform.runs.services.running import advance_run, open_run, start_run
from evalplatform.runs.states import RunState

TASK = "runs.open_draft"
_SILENT = timedelta(minutes=2)


def launch_draft(*, draft: Draft, version: int, user: User | None) -> Campaign:
    """Make the campaign of a draft and ask the workers for its samples; it does not open.

    Launched twice it is one campaign, and what failed of its safety check is tried again. Raises
    `DraftConflictError` where it is not the version that this person saw, and `BadInputError` as
    `start_run` does or for a name that is taken.
    """
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).get(pk=draft.pk)
        if locked.campaign is not None:
            check_again(draft=locked, now=timezone.now())
            return locked.campaign
        if locked.version != version:
            raise DraftConflictError(locked, changes_of_others(locked, version), [])
        choices = parse_choices(locked.choices)
        plan = plan_of(choices, with_pay(choices))
        if Campaign.objects.filter(slug=plan.name).exists():
            raise BadInputError(
                f"there is a campaign {plan.name!r} already; give this one another name."
            )
        campaign, _ = start_run(project=locked.project, plan=plan, created_by=user)
        locked.campaign = campaign
        locked.save(update_fields=["campaign"])
        ask_forward(draft=locked, now=timezone.now())
    return campaign


def with_pay(choices: DraftChoices) -> Rules:
    """Return the rules with the seconds that pay by the hour was reckoned with written out."""
    pay = choices.rules.pay
    if pay.wage_per_hour is None or pay.per_vote is not None or pay.seconds_per_vote is not None:
        return choices.rules
    seconds = expected_seconds(choices)
    if seconds is None:
        return choices.rules
    return choices.rules.model_copy(
        update={"pay": pay.model_copy(update={"seconds_per_vote": round(seconds, 1)})}
    )


def expected_seconds(choices: DraftChoices) -> float | None:
    """Return the mean over criteria of what an answer takes, weighted by their k."""
    took = [
        (each.k, site_seconds(each.form) or ASSUMED_SECONDS.get(each.form, 10.0))
        for each in choices.criteria
    ]
    total = sum(k for k, _ in took)
    return sum(k * seconds for k, seconds in took) / total if total else None


def ask_to_open(*, draft: Draft, user: User | None, now: datetime) -> None:
    """Note that a launched draft's campaign is to open, and tell a worker.

    Raises `BadInputError` where there is no campaign, or it has opened.
    """
    if draft.campaign is None:
        raise BadInputError("nothing was made of this draft yet; generate its images first.")
    if draft.campaign.is_frozen:
        raise BadInputError(f"campaign {draft.campaign.slug!r} is {draft.campaign.status} already.")
    Draft.objects.filter(pk=draft.pk).update(
        opening_asked_at=now, opening_by=user, opening_fault="", opening_beaten_at=now,
        opening_doing="", opening_done=0, opening_total=0,
    )  # fmt: skip
    draft.refresh_from_db()
    transaction.on_commit(lambda: _wake_worker(draft.pk))


def _wake_worker(key: int) -> None:
    current_app.send_task(TASK, args=[key], queue="default")  # sent twice, it opens once


def wake_silent_opening(*, draft: Draft, now: datetime) -> bool:
    """Have a campaign's opening gone on with whose worker died, or whose message was lost.

    What was packed and stored by then is taken up. Returns whether a worker was asked.
    """
    silent = Draft.objects.filter(
        pk=draft.pk, opening_asked_at__isnull=False, opening_beaten_at__lt=now - _SILENT,
        campaign__opened_at=None,
    )  # fmt: skip
    if not silent.update(opening_beaten_at=now):
        return False
    transaction.on_commit(lambda: _wake_worker(draft.pk))
    return True


def open_asked(*, draft: Draft, now: datetime) -> str:
    """Open the campaign of a draft of which this was asked; return its state.

    What hinders is kept with the draft, in words; a fault of the site is raised besides. Nothing is
    done that was not asked.
    """
    if draft.campaign is None or draft.opening_asked_at is None:
        return "not asked"
    campaign = draft.campaign
    try:
        with Teller(partial(_note_opening, draft.pk)) as teller:
            _open(campaign, teller, now)
    except EvalPlatformError as error:
        _hinder(draft, str(error))
        return "hindered"
    except Exception as error:
        if isinstance(error, DatabaseError) and fault_of(error):
            raise  # it is tried again: `wake_silent_opening`
        said = traceback.format_exception_only(error)[-1][:500].strip()
        _hinder(draft, f"a fault of the site: {said}")
        raise
    Draft.objects.filter(pk=draft.pk).update(opening_fault="")
    return "open"


def _hinder(draft: Draft, why: str) -> None:
    rows = Draft.objects.filter(pk=draft.pk)
    rows.update(opening_fault=storable_text(why), opening_asked_at=None)


def _open(campaign: Campaign, teller: Teller, now: datetime) -> None:
    progress = advance_run(campaign=campaign, now=now)
    if progress.state is RunState.READY:
        open_run(
            campaign=campaign,
            on_packed=teller.about("Images packed"),
            on_images=teller.about("Copies stored"),
            on_slots=teller.about("Places for votes made"),
        )
    elif progress.state not in (RunState.OPEN, RunState.CLOSED):
        raise BadInputError(progress.note or f"it is not ready: {progress.state} goes on.")


def _note_opening(key: int, far: HowFar) -> None:
    told: dict[str, Any] = {"opening_beaten_at": timezone.now()}
    if far.doing:  # a worker that waits for another, asked twice, has nothing to tell
        told |= {
            "opening_doing": far.doing, "opening_done": far.done, "opening_total": far.total,
        }  # fmt: skip
    Draft.objects.filter(pk=key).update(**told)
