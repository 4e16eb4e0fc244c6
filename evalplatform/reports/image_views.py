"""One set of images with every vote on it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from evalplatform.accounts.projects import visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.image_cards import criteria_of, pictures_of
from evalplatform.reports.image_query import SetFilter, next_set


@require_safe
@login_required
def image_set(request: HttpRequest, slug: str, identifier: int) -> HttpResponse:
    """One set: its images large, and each vote with its time; a filter in the address goes on."""
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    sets = campaign.image_sets.main().select_related("prompt__prompt_set")
    found = get_object_or_404(sets, pk=identifier)
    asked = SetFilter.of(campaign, request.GET)
    context: dict[str, Any] = {
        "campaign": campaign,
        "set": found,
        "images": pictures_of(found),
        "criteria": criteria_of(found),
        "query": asked.query,
        "next": next_set(campaign, asked, found.pk),
    }
    return render(request, "reports/image_set.html", context)
