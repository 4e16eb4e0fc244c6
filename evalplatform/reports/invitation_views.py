"""A campaign's invitations, for those who edit it: making, listing and revoking them."""

import re
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from evalplatform.accounts.models import Membership, User
from evalplatform.accounts.projects import steered_or_404
from evalplatform.annotation.doors.invitations import (
    InvitationState,
    invitation_lines,
    invitations_csv,
)
from evalplatform.annotation.services import invite, revoke_invitations
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.reports.invitation_form import InviteForm

_EDITOR = Membership.Role.EDITOR


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def invitations(request: HttpRequest, slug: str) -> HttpResponse:
    """The campaign's invitations; a POST makes some and answers with their links, this once."""
    campaign = _campaign(request, slug)
    form = InviteForm(request.POST or None)
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            return _made(request, campaign, form)
        except BadInputError as refused:
            error = str(refused)
    lines = invitation_lines(campaign, timezone.now())
    counts = Counter(each.state for each in lines)
    context = {
        "campaign": campaign,
        "lines": lines,
        "counts": [(state.label, counts[state]) for state in InvitationState],
        "unused": counts[InvitationState.UNUSED],
        "form": form,
        "error": error,
    }
    return render(request, "reports/invitations.html", context, status=400 if error else 200)


@require_POST
@login_required
def revoke(request: HttpRequest, slug: str) -> HttpResponse:
    """Revoke one unused invitation by its number, or all of them."""
    campaign = _campaign(request, slug)
    given = request.POST.get("number", "")
    numbers = None if given == "all" else [int(given)] if re.fullmatch("[0-9]{1,6}", given) else []
    with suppress(BadInputError):  # of a number that is not there: the list says what is
        revoke_invitations(campaign=campaign, now=timezone.now(), numbers=numbers)
    return redirect("reports:invitations", slug)


def _made(request: HttpRequest, campaign: Campaign, form: InviteForm) -> HttpResponse:
    now, days = timezone.now(), form.cleaned_data["days"]
    assert isinstance(request.user, User)  # signed in
    made = invite(
        campaign=campaign,
        labels=form.labels,
        now=now,
        expires_at=now + timedelta(days=days) if days else None,
        created_by=request.user,
    )
    link = site_link(reverse("annotation:work", args=[campaign.invitation]), request)
    response = HttpResponse(invitations_csv(made, link), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.slug}-invitations.csv"'
    return response


def _campaign(request: HttpRequest, slug: str) -> Campaign:
    return steered_or_404(request.user, Campaign.objects.all(), _EDITOR, slug=slug)
