"""Feedback loops and reward models, as a signed-in researcher reads them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.pages import list_context, loop_context, reward_context
from evalplatform.feedback.selectors import loops, rewards
from evalplatform.feedback.services import hide_reward, show_reward


@require_safe
@login_required
def feedback_list(request: HttpRequest) -> HttpResponse:
    """Every loop and reward model of the person's projects."""
    return render(request, "feedback/list.html", list_context(request))


@require_safe
@login_required
def loop(request: HttpRequest, name: str) -> HttpResponse:
    """One loop: its lineage, and what each round has come to."""
    found = get_object_or_404(visible_to(request.user, loops()), slug=name)
    return render(request, "feedback/loop.html", loop_context(found))


@require_POST
@login_required
def beside(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a reward beside a campaign's votes (`action=show`), or no longer (`hide`)."""
    campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
    name = request.POST.get("reward", "")
    found = get_object_or_404(visible_to(request.user, rewards()), name=name)
    if request.POST.get("action") == "hide":
        hide_reward(campaign=campaign, reward=found)
    else:
        try:
            user = request.user if isinstance(request.user, User) else None
            show_reward(campaign=campaign, reward=found, now=timezone.now(), by=user)
        except BadInputError as error:
            messages.error(request, str(error))
    return redirect(reverse("reports:results", args=[slug]) + "#rewards-beside-votes")


@require_safe
@login_required
def reward(request: HttpRequest, name: str) -> HttpResponse:
    """One reward model: what it learned from, and how far to trust it."""
    found = get_object_or_404(visible_to(request.user, rewards()), name=name)
    return render(request, "feedback/reward.html", reward_context(found))
