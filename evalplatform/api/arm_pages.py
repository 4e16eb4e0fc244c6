"""The page on which an editor lets an arm join an open campaign: what the API's route does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, may, steered_or_404, visible_to
from evalplatform.api.asked import AskedJob, is_left_to_workers, last_jobs, wake_where_due
from evalplatform.api.jobs import ask_to_join, call_off, wake_stalled_jobs
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.storable_json import refuse_unstorable
from evalplatform.runs.newcomers import (
    NewcomerProgress,
    candidates,
    hindrance_of_all,
    joining_estimate,
    newcomers_progress,
)
from evalplatform.runs.services import arm_named, ask_newcomers_checks


@dataclass(frozen=True)
class AskedArm(AskedJob):
    """An arm that was asked for.

    Attributes:
        arm: what it became, once it has joined.
    """

    progress: NewcomerProgress | None = None
    arm: Arm | None = None

    @property
    def refusal(self) -> str:
        """Why it did not join when it was asked; "" where images were still to come then."""
        if self.progress is None or not self.progress.is_ready or self.job.finished_at is None:
            return ""
        ready_at = self.progress.ready_at
        was_early = ready_at is not None and ready_at > self.job.finished_at
        return "" if was_early else self.job.reason


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def add_arm(request: HttpRequest, slug: str) -> HttpResponse:
    """Who could join, what that takes, and how far those are that were asked for."""
    if request.method == "POST":
        return _ask(request, slug)
    visible = visible_to(request.user, Campaign.objects.select_related("project"))
    campaign = get_object_or_404(visible, slug=slug)
    edits = may(request.user, campaign.project, Role.EDITOR)
    now = timezone.now()
    context: dict[str, Any] = {"campaign": campaign, "may_edit": edits}
    wakes = edits and request.method == "GET"
    if wakes:
        wake_stalled_jobs(_jobs(campaign), now=now)
    context["asked"] = [
        _asked(campaign, job, wakes, now) for job in last_jobs(_jobs(campaign), "arm")
    ]
    context["moves"] = any(each.moves for each in context["asked"])
    if not request.headers.get("HX-Request"):  # it asks for what was asked for alone
        context |= _choice(campaign, request.GET.get("arm", ""), now)
    return render(request, "api/add_arm.html", context)


def _ask(request: HttpRequest, slug: str) -> HttpResponse:
    campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
    name = request.POST.get("arm", "")[:100]
    assert isinstance(request.user, User)
    try:
        refuse_unstorable(name)
        if "call_off" in request.POST:
            for job in _jobs(campaign).filter(asked__arm=name, status=Job.Status.QUEUED):
                call_off(job=job, now=timezone.now())
        else:
            ask_to_join(campaign=campaign, name=name, user=request.user)
    except EvalPlatformError as error:
        messages.error(request, str(error))
    return redirect("arms:add", campaign.slug)


def _jobs(campaign: Campaign) -> QuerySet[Job]:
    return Job.objects.filter(
        project=campaign.project, kind=Job.Kind.ADD_ARM, asked__campaign=campaign.slug
    )


def _asked(campaign: Campaign, job: Job, wakes: bool, now: datetime) -> AskedArm:
    """Return where an arm stands. If it `wakes`, checks that nobody asked for are asked for."""
    name = job.asked["arm"]
    try:
        maker = arm_named(name, campaign.project)
    except BadInputError as error:
        return AskedArm(name, job, fault=str(error))
    arm = next((each for each in campaign.contenders if each.maker == maker), None)
    if arm is not None or is_left_to_workers(job):
        return AskedArm(name, job, arm=arm)
    if fault := hindrance_of_all(campaign):
        return AskedArm(name, job, fault=fault)
    progress = newcomers_progress(campaign, maker, now)
    if wakes and progress.checks and progress.checks.is_stuck and not progress.checks.failures:
        ask_newcomers_checks(campaign=campaign, maker=maker, now=now)
    if wakes:
        wake_where_due(job, progress)
    return AskedArm(name, job, progress)


def _choice(campaign: Campaign, name: str, now: datetime) -> dict[str, Any]:
    """Return who could join, and what the chosen one would take."""
    hindrance = hindrance_of_all(campaign)
    if hindrance:
        return {"hindrance": hindrance}
    found = candidates(campaign)
    chosen = next((each for each in found if each.name == name), None)
    context: dict[str, Any] = {
        "able": [each for each in found if not each.hindrance],
        "unable": [each for each in found if each.hindrance],
        "chosen": chosen,
    }
    if chosen and not chosen.hindrance:
        maker = arm_named(chosen.name, campaign.project)
        context["cost"] = joining_estimate(campaign, maker, now)
    return context
