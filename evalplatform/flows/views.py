"""Flows: the annotators' way in, and what researchers see of them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.annotation.entrance.admission import wrong_link
from evalplatform.core.languages import speak_one_of
from evalplatform.flows import entrance, services
from evalplatform.flows.models import Flow
from evalplatform.flows.pages import flow_context, list_context
from evalplatform.flows.selectors import flows


@require_GET
@never_cache
def come(request: HttpRequest, invitation: str) -> HttpResponse:
    """The annotators' one link: to the next batch, the welcome page, or why there is nothing."""
    found = _flow(invitation)
    if found is None:
        return wrong_link(request)
    speak_one_of(request, found.checked_rules.annotation.languages)
    return entrance.lead_on(request, found)


@require_POST
def begin(request: HttpRequest, invitation: str) -> HttpResponse:
    """Consent given, once for all batches."""
    found = _flow(invitation)
    return wrong_link(request) if found is None else entrance.begin(request, found)


def _flow(invitation: str) -> Flow | None:
    if not invitation.isprintable():
        return None
    return Flow.objects.filter(invitation=invitation).first()


@require_safe
@login_required
def flow_list(request: HttpRequest) -> HttpResponse:
    """Every flow of the person's projects."""
    return render(request, "flows/list.html", list_context(request))


@require_safe
@login_required
@never_cache
def flow(request: HttpRequest, name: str) -> HttpResponse:
    """One flow: its link, its batches with their votes and times, and how to ask."""
    found = get_object_or_404(visible_to(request.user, flows()), slug=name)
    return render(request, "flows/flow.html", flow_context(request, found))


@require_POST
@login_required
def close(request: HttpRequest, name: str) -> HttpResponse:
    """Take no more batches, and end those under way."""
    found = steered_or_404(request.user, Flow.objects.all(), Role.EDITOR, slug=name)
    services.close_flow(flow=found, now=timezone.now())
    messages.success(request, f"The flow {found.slug} is closed; what was said stays.")
    return redirect(found)
