"""Scoring by the workers on pages: how far it is, and steering it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from evalplatform.accounts.projects import Asking, Role, may, steered_or_404, visible_to
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.curation.models import ScoringRequest
from evalplatform.curation.scoring_progress import (
    ScoringProgress,
    scoring_progress,
    scoring_requests,
)
from evalplatform.curation.services.scoring import (
    cancel_scoring,
    pause_scoring,
    resume_scoring,
    retry_scoring,
)

_SHOWN = 20


@dataclass(frozen=True)
class ScoringRow:
    """One request as pages show it."""

    progress: ScoringProgress
    may_steer: bool


def scoring_context(user: Asking, rows: QuerySet[ScoringRequest]) -> dict[str, Any]:
    """Return what was asked last of the workers and exists for somebody, and whether it goes on."""
    shown = [
        ScoringRow(scoring_progress(each), may(user, each.project, Role.EDITOR))
        for each in visible_to(user, rows)[:_SHOWN]
    ]
    active = sum(row.progress.state in ("scoring", "waiting") for row in shown)
    return {"scoring": shown, "scoring_active": active}


@require_POST
@login_required
def steer(request: HttpRequest, name: str) -> HttpResponse:
    """Pause, resume, cancel or retry one scoring."""
    found = steered_or_404(request.user, scoring_requests(), Role.EDITOR, name=name)
    try:
        messages.success(request, _steered(found, request.POST.get("action", "")))
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("curation:list")


def _steered(scoring: ScoringRequest, action: str) -> str:
    if action == "pause":
        pause_scoring(request=scoring)
        return f"{scoring} is paused."
    if action == "resume":
        resume_scoring(request=scoring)
        return f"{scoring} goes on."
    if action == "cancel":
        return f"{scoring} is cancelled: {counted(cancel_scoring(request=scoring), 'job')} dropped."
    if action == "retry":
        return f"{counted(retry_scoring(request=scoring), 'failed job')} of {scoring} queued again."
    raise BadInputError(f"{action[:20]!r} is not something that can be done.")
