"""Feedback loops and reward models, as a signed-in researcher reads them."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from evalplatform.accounts.projects import visible_to
from evalplatform.feedback.pages import list_context, loop_context, reward_context
from evalplatform.feedback.selectors import loops, rewards


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


@require_safe
@login_required
def reward(request: HttpRequest, name: str) -> HttpResponse:
    """One reward model: what it learned from, and how far to trust it."""
    found = get_object_or_404(visible_to(request.user, rewards()), name=name)
    return render(request, "feedback/reward.html", reward_context(found))
