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
from evalplatform.api.jobs import ask_to_join, call_off, wake_soon, wake_stalled_jobs
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

_SHOWN = 20  # arms that were asked for, the latest first
_UNDER_WAY = (Job.Status.QUEUED, Job.Status.RUNNING)


@dataclass(frozen=True)
class AskedArm:
    """An arm that was asked for: the last job about it, and where it stands.

    Attributes:
        arm: what it became, once it has joined.
        progress: how far its images are while no worker lets it join.
        fault: why it cannot go on, in words; "" where it can.
    """

    name: str
    job: Job
    arm: Arm | None = None
    progress: NewcomerProgress | None = None
    fault: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether a worker has it, or is to take it."""
        return self.job.status in _UNDER_WAY and self.progress is None

    @property
    def waits(self) -> bool:
        """Whether it joins by itself once its images are there."""
        is_queued = self.job.status == Job.Status.QUEUED
        return is_queued and self.progress is not None and not self.progress.fault

    @property
    def refusal(self) -> str:
        """Why it did not join when it was asked; "" where images were still to come then."""
        if self.progress is None or not self.progress.is_ready or self.job.finished_at is None:
            return ""
        ready_at = self.progress.ready_at
        was_early = ready_at is not None and ready_at > self.job.finished_at
        return "" if was_early else self.job.reason

    @property
    def moves(self) -> bool:
        """Whether it is worth looking again soon."""
        comes = self.progress is not None and not self.progress.is_ready
        return self.job.status in _UNDER_WAY or comes


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
    context["asked"] = [_asked(campaign, job, wakes, now) for job in _last_jobs(campaign)]
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


def _last_jobs(campaign: Campaign) -> list[Job]:
    """Return the last job about each arm, the latest first."""
    last: dict[str, Job] = {}
    for job in _jobs(campaign).order_by("-pk")[: 10 * _SHOWN]:
        last.setdefault(job.asked["arm"], job)
    return list(last.values())[:_SHOWN]


def _asked(campaign: Campaign, job: Job, wakes: bool, now: datetime) -> AskedArm:
    """Return where an arm stands. If it `wakes`, checks that nobody asked for are asked for."""
    name = job.asked["arm"]
    try:
        maker = arm_named(name, campaign.project)
    except BadInputError as error:
        return AskedArm(name, job, fault=str(error))
    arm = next((each for each in campaign.contenders if each.maker == maker), None)
    was_looked_at = job.status == Job.Status.QUEUED and job.note
    if arm is not None or (job.status in _UNDER_WAY and not was_looked_at):
        return AskedArm(name, job, arm)
    if fault := hindrance_of_all(campaign):
        return AskedArm(name, job, fault=fault)
    progress = newcomers_progress(campaign, maker, now)
    if wakes and progress.checks and progress.checks.is_stuck and not progress.checks.failures:
        ask_newcomers_checks(campaign=campaign, maker=maker, now=now)
    if wakes and was_looked_at and (progress.is_ready or progress.fault):
        wake_soon(job=job)
    return AskedArm(name, job, progress=progress)


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
