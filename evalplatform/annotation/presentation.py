"""What an annotator's browser is told (docs/annotation-api.md): the blind view of their work."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import get_language

from evalplatform.annotation.comprehension import has_failed, is_asked, questions_shown
from evalplatform.annotation.doors.way_back import exit_of
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services.voting import undo_seconds_left
from evalplatform.annotation.statements import others_hold_the_rest
from evalplatform.annotation.turns import MAX_HELD
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.campaigns.rules import MOST_IN_GRID, Question

MAX_WANT = max(MAX_HELD, MOST_IN_GRID)
GRID = "grid"  # the page that shows several images, each judged by itself


def page_state(enrolment: Enrolment, held: Sequence[Assignment], now: datetime) -> dict[str, Any]:
    """Return all the page may know: the sets of images held, or why there are none.

    The enrolment must be as fresh as `held`, as leasing leaves it.
    """
    state = "judge" if held else _why_none(enrolment)
    told: dict[str, Any] = {
        "state": state,
        "progress": {"done": enrolment.judged, "total": _total(enrolment, state)},
        "sets": [
            set_shown(assignment, grid=enrolment.campaign.checked_rules.annotation.grid)
            for assignment in _blind(held)
        ],
        "undo": _undo(enrolment, now),
        "break_every": enrolment.campaign.checked_rules.annotation.break_every,
    }
    if enrolment.campaign.shown_widths:
        told["widths"] = enrolment.campaign.shown_widths
    if state == "questionnaire":
        questions = enrolment.campaign.checked_rules.questionnaire
        told["questionnaire"] = [question_shown(question) for question in questions]
    elif state == "comprehension":
        told["comprehension"] = questions_shown(enrolment)
    elif not held:
        told["exit"] = exit_of(enrolment, state)
    return told


def _total(enrolment: Enrolment, state: str) -> int:
    """Return the total as leasing left it; at an end nothing more comes: the bar is full."""
    if state in ("judge", "paused") and enrolment.total is not None:
        return enrolment.total
    return enrolment.judged


def _why_none(enrolment: Enrolment) -> str:
    if enrolment.status == Enrolment.Status.DISQUALIFIED:
        return "screened_out" if has_failed(enrolment) else "disqualified"
    if enrolment.status == Enrolment.Status.RETURNED:
        return "returned"
    if enrolment.campaign.status == Campaign.Status.PAUSED:
        return "paused"
    if enrolment.campaign.status == Campaign.Status.OPEN and is_asked(enrolment):
        return "comprehension"
    rules = enrolment.campaign.checked_rules
    if rules.questionnaire and enrolment.questionnaire is None and enrolment.judged:
        return "questionnaire"
    cap = rules.annotation.session_cap
    if cap is not None and enrolment.judged >= cap:
        return "finished"
    if enrolment.campaign.status != Campaign.Status.OPEN:
        # One of a series ends as soon as its votes are in; for the person it goes on.
        return "done" if enrolment.campaign.leads_on else "closed"
    return "waiting" if others_hold_the_rest(enrolment) else "done"


def _blind(held: Sequence[Assignment]) -> Sequence[Assignment]:
    """Leave out later sets that show their prompt while the first hides its own."""
    for index, assignment in enumerate(held):
        if assignment.item.criterion.shows_prompt and not held[0].item.criterion.shows_prompt:
            return held[:index]
    return held


def screen_shown(sets: Sequence[dict[str, Any]], grid: int) -> dict[str, Any] | None:
    """Return what is on the screen first: the first set, or the grid of those that share it.

    A grid is its first set with the images of all, and `members`: the sets, each judged by itself.
    """
    if not sets or sets[0]["page"] != GRID:
        return sets[0] if sets else None
    members = [each for each in sets[:grid] if each["criterion"] == sets[0]["criterion"]]
    images = [url for each in members for url in each["images"]]
    return sets[0] | {"images": images, "members": members}


def page_of(criterion: Criterion, grid: int) -> str:
    """Return the page (`Form.page`) on which a criterion is asked; `grid`: the campaign's rule."""
    fits = criterion.form == "keep_reject" and not criterion.heads and not criterion.shows_prompt
    return GRID if grid > 1 and fits else criterion.shape.page


def set_shown(assignment: Assignment, *, grid: int = 0) -> dict[str, Any]:
    """Return what the page may know of one set of images."""
    criterion = assignment.item.criterion
    words = criterion.in_language(get_language() or "")
    shown: dict[str, Any] = {
        "assignment": str(assignment.public_id),
        # Made here because browsers offer crypto.randomUUID on secure origins only.
        "idempotency_key": str(uuid.uuid4()),
        "criterion": criterion.slug,
        "form": criterion.form,
        "page": page_of(criterion, grid),
        "question": words.question,
        "instructions": words.instructions,
        "language": words.language,
        "answers": list(criterion.shape.buttons),
        "images": [
            reverse("annotation:image", args=[assignment.public_id, position])
            for position in range(len(assignment.order))
        ],
    }
    if criterion.heads:
        shown["heads"] = [
            {"name": name, "text": text}
            for name, text in zip(criterion.heads, words.heads, strict=True)
        ]
    if criterion.shows_prompt:
        shown["prompt"] = assignment.item.image_set.prompt_text
    return shown


def question_shown(question: Question) -> dict[str, Any]:
    """Return a question of the questionnaire in the language of the page.

    What is stored is the choice as the rules have it, whatever it reads like.
    """
    words = question.translations.get(get_language() or "")
    texts = (words.choices if words else None) or question.choices
    return {
        "name": question.name,
        "label": words.label if words else question.label,
        "kind": question.kind,
        "required": question.required,
        "choices": [
            {"value": value, "text": text}
            for value, text in zip(question.choices, texts, strict=True)
        ],
    }


def pages_of(campaign: Campaign) -> list[str]:
    """Return the pages of the forms (`Form.page`) that this campaign's sets may come in."""
    grid = campaign.checked_rules.annotation.grid
    return sorted({page_of(criterion, grid) for criterion in campaign.criteria.all()})


def _undo(enrolment: Enrolment, now: datetime) -> dict[str, Any] | None:
    seconds = undo_seconds_left(enrolment, now)
    if not seconds or enrolment.last_vote is None:
        return None
    return {
        "assignment": str(enrolment.last_vote.assignment.public_id),
        "idempotency_key": str(enrolment.last_vote.idempotency_key),
        "seconds_left": seconds,
    }
