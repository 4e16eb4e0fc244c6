"""What the pages of a draft show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from evalplatform.accounts.models import Project
from evalplatform.annotation.doors.wording import door_in_words
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.reports.preparing import PREPARING, preparing_context
from evalplatform.runs.choices import DraftChoices, parse_choices
from evalplatform.runs.draft_form import CriterionForms, DraftForm
from evalplatform.runs.draft_values import criteria_of, initial_of
from evalplatform.runs.dry_run import dry_run
from evalplatform.runs.models import Draft
from evalplatform.runs.power import ASSUMED
from evalplatform.runs.run_plans import run_eval_line, usual_name
from evalplatform.runs.selectors import PartsOfDrafts
from evalplatform.runs.services import ask_forward, wake_silent_opening


@dataclass(frozen=True)
class BuilderStep:
    """One part of the page; `state` is done, now or next."""

    name: str
    state: str
    href: str = ""
    note: str = ""


def form_context(
    choices: dict[str, Any],
    project: Project,
    *,
    version: int | None = None,
    form: DraftForm | None = None,
    criteria: Any = None,
) -> dict[str, Any]:
    """Return the fields; those that were filled in where some were wrong."""
    if form is None:
        form = DraftForm(
            initial=initial_of(choices) | {"version": version}, parts=PartsOfDrafts(project)
        )
    if criteria is None:
        criteria = CriterionForms(initial=criteria_of(choices), prefix="criteria")
    return {"form": form, "criteria": criteria, "project": project}


def review_context(
    choices: dict[str, Any], project: Project, now: datetime, *, draft: Draft | None
) -> dict[str, Any]:
    """Return what the choices come to. Choices that no longer hold are said, not raised."""
    try:
        chosen = parse_choices(choices)
    except BadInputError as error:
        return {"review_fault": str(error)}
    found = dry_run(choices=chosen, project=project, now=now)
    return {
        "found": found,
        "assumed": ASSUMED if found.power else "",
        "line": run_eval_line(chosen),
        "chosen": chosen,
        "campaign_name": chosen.name or usual_name(chosen.arms),
        "previews": _previews(chosen, draft),
        "steps": _steps(chosen, not found.errors, draft),
    }


def _previews(choices: DraftChoices, draft: Draft | None) -> list[tuple[str, str]]:
    if draft is None:
        return []
    return [
        (
            each.label or each.slug,
            f"{reverse('runs:preview', args=[draft.pk, place])}?v={draft.version}",
        )
        for place, each in enumerate(choices.criteria)
    ]


def _steps(choices: DraftChoices, is_whole: bool, draft: Draft | None) -> list[BuilderStep]:
    done = [
        ("Models", "#models", len(choices.arms) > 0),
        ("Prompts", "#prompts", bool(choices.prompts.sets)),
        ("Criteria", "#criteria", bool(choices.criteria)),
        ("Quality, people, pay", "#quality", draft is not None),
        ("Review", "#review", False),
    ]
    steps, is_now_given = [], False
    for name, href, is_done in done:
        state = "done" if is_done else "next" if is_now_given else "now"
        is_now_given = is_now_given or not is_done
        steps.append(BuilderStep(name, state, href))
    note = "nothing is missing" if is_whole else ""
    steps[-1] = BuilderStep("Review", steps[-1].state, "#review", note)
    return steps


def launched_context(draft: Draft, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return how far the campaign of a draft is, until annotators have its link."""
    campaign = draft.campaign
    assert campaign
    if campaign.status not in PREPARING:
        link = site_link(reverse("annotation:work", args=[campaign.invitation]), request)
        return {
            "campaign": campaign,
            "is_open": True,
            "annotator_link": link,
            "door": door_in_words(campaign),
            "steps": _way(campaign, made=True, opening=False),
        }
    context = preparing_context(campaign, now)
    made = all(each.ready == each.total for each in context["arms"])
    checked = context["safety"] is None or context["safety"].is_complete
    if not (made and checked):
        ask_forward(draft=draft, now=now)
    wake_silent_opening(draft=draft, now=now)
    return context | {
        "is_made": made and checked,
        "waits_for": "" if made and checked else draft.waits_for,
        "is_opening": draft.opening_asked_at is not None,
        "steps": _way(campaign, made=made and checked, opening=draft.opening_asked_at is not None),
    }


def _way(campaign: Campaign, *, made: bool, opening: bool) -> list[BuilderStep]:
    is_open = campaign.status not in PREPARING
    rows = [("Draft", True), ("Images", made or is_open), ("Open", is_open), ("Votes", False)]
    steps, is_now_given = [], False
    for name, is_done in rows:
        state = "done" if is_done else "next" if is_now_given else "now"
        is_now_given = is_now_given or not is_done
        steps.append(
            BuilderStep(name, state, note="under way" if name == "Open" and opening else "")
        )
    return steps
