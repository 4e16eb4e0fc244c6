"""The Export tab of a campaign: what it can be exported as, what is being made, what is ready."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.models import User
from evalplatform.accounts.projects import Role, may, steered_or_404, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.exports import services
from evalplatform.exports.forms import ExportForm
from evalplatform.exports.models import Export
from evalplatform.exports.page import tab_context
from evalplatform.exports.sending import send_export
from evalplatform.reports import campaign_tabs


@require_safe
@login_required
@never_cache
def tab(request: HttpRequest, slug: str) -> HttpResponse:
    """What a campaign can be exported as, and its exports; asks again while one is being made."""
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    services.wake_silent(campaign=campaign, now=timezone.now())
    return _page(request, campaign, ExportForm(campaign=campaign))


@require_POST
@login_required
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for an export."""
    campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
    form = ExportForm(request.POST, campaign=campaign)
    user = request.user if isinstance(request.user, User) else None
    if not form.is_valid() or form.options is None:
        return _page(request, campaign, form, status=422)
    try:
        services.request_export(campaign=campaign, options=form.options, user=user)
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("exports:tab", slug)


@require_safe
@login_required
def download(request: HttpRequest, slug: str, key: UUID) -> HttpResponseBase:
    """Send the archive of an export that is ready."""
    visible = visible_to(request.user, Campaign.objects.all())
    export = get_object_or_404(Export, public_id=key, campaign__in=visible.filter(slug=slug))
    return send_export(request, export)


@require_POST
@login_required
def remove(request: HttpRequest, slug: str, key: UUID) -> HttpResponse:
    """Remove an export's files, or stop one that is being made."""
    campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
    export = get_object_or_404(campaign.exports, public_id=key)
    if not services.remove_export(export=export):
        messages.info(request, "It was removed already.")
    return redirect("exports:tab", slug)


def _page(
    request: HttpRequest, campaign: Campaign, form: ExportForm, status: int = 200
) -> HttpResponse:
    edits = may(request.user, campaign.project, Role.EDITOR)
    frame = campaign_tabs.tab_context(campaign, "exports:tab", may_edit=edits)
    context: dict[str, Any] = frame | tab_context(campaign, form, may_edit=edits)
    return render(request, "exports/tab.html", context, status=status)
