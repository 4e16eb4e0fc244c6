"""The tabs of a campaign's page: each computes what it shows and no more."""

from collections.abc import Callable
from functools import partial
from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from evalplatform.accounts.projects import Role, may, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.core.site import site_link
from evalplatform.reports.beside import sections_beside
from evalplatform.reports.campaign_tabs import tab_context
from evalplatform.reports.computing import standing_of
from evalplatform.reports.dashboard import figures_context, stamps_context
from evalplatform.reports.doors import door_context
from evalplatform.reports.image_browser import browser_context
from evalplatform.reports.live import live_context
from evalplatform.reports.looks import looks_context
from evalplatform.reports.overview_tab import overview_context
from evalplatform.reports.people_tab import people_context
from evalplatform.reports.people_table import payments, people_table
from evalplatform.reports.preparing import PREPARING, preparing_context
from evalplatform.reports.protocol_tab import protocol_context
from evalplatform.reports.quality_tab import quality_context
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.results_tab import results_context

# plotly.js positions what it draws by inline style.
STYLED_BY_PLOTLY = {"style-src": [SELF, UNSAFE_INLINE]}


@require_safe
@login_required
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """The answers as they stand; before the campaign opens, how far it is prepared."""
    campaign, context = _tab(request, slug, "reports:dashboard")
    now = timezone.now()
    if campaign.status in PREPARING:
        context |= preparing_context(campaign, now) | {"life": []}  # its steps are asked for again
        return render(request, "reports/preparing.html", context)
    link = site_link(reverse("annotation:work", args=[campaign.invitation]), request)
    context |= door_context(campaign, now) | {"annotator_link": link}
    return _rendered(request, campaign, context, "overview", overview_context)


@require_safe
@login_required
def results(request: HttpRequest, slug: str) -> HttpResponse:
    """Win, tie and lose, orders of arms, groups of prompts; `?level=majority` for verdicts."""
    campaign, context = _tab(request, slug, "reports:results")
    level = request.GET.get("level", "votes")
    make = partial(results_context, level=level)
    context["beside"] = sections_beside(campaign, context["may_edit"])
    return _rendered(request, campaign, context, "results", make)


@require_safe
@login_required
@csp_update(STYLED_BY_PLOTLY)  # type: ignore[arg-type]  # its stub knows no URL arguments
def figures(request: HttpRequest, slug: str) -> HttpResponse:
    """The results as interactive figures."""
    campaign, context = _tab(request, slug, "reports:results")
    return _rendered(request, campaign, context, "figures", figures_context)


@require_safe
@login_required
def images(request: HttpRequest, slug: str) -> HttpResponse:
    """The sets of images that annotators judge, filtered and sorted by what was said of them."""
    campaign, context = _tab(request, slug, "reports:images")
    context |= browser_context(campaign, request.GET)
    return render(request, "reports/tabs/images.html", context)


@require_safe
@login_required
def people(request: HttpRequest, slug: str) -> HttpResponse:
    """How alike people vote, and who does not count."""
    campaign, context = _tab(request, slug, "reports:people")
    context |= door_context(campaign, timezone.now())
    context["payments"] = payments(campaign)

    def make(found: CampaignResults) -> dict[str, Any]:
        return people_context(found) | {"table": people_table(found, request.GET)}

    return _rendered(request, campaign, context, "people", make)


@require_safe
@login_required
def quality(request: HttpRequest, slug: str) -> HttpResponse:
    """Checks, effects of side and order, images to look at, what was kept back."""
    campaign, context = _tab(request, slug, "reports:quality")

    def make(found: CampaignResults) -> dict[str, Any]:
        return quality_context(found) | looks_context(campaign, found)

    return _rendered(request, campaign, context, "quality", make)


@require_safe
@login_required
def protocol(request: HttpRequest, slug: str) -> HttpResponse:
    """What was frozen as the campaign opened, and the paragraphs that tell it in a paper."""
    campaign, context = _tab(request, slug, "reports:protocol")
    now = timezone.now()
    standing = standing_of(campaign, now)
    context |= live_context(standing, now) | protocol_context(campaign, standing.results)
    # Said before the first results, too.
    context |= {"imported": campaign.imported_note}
    if standing.results:
        context |= stamps_context(standing.results) | {"campaign": campaign}
    return render(request, "reports/tabs/protocol.html", context)


def _tab(request: HttpRequest, slug: str, shown: str) -> tuple[Campaign, dict[str, Any]]:
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    edits = may(request.user, campaign.project, Role.EDITOR)
    return campaign, tab_context(campaign, shown, may_edit=edits)


def _rendered(
    request: HttpRequest,
    campaign: Campaign,
    context: dict[str, Any],
    tab: str,
    make: Callable[[CampaignResults], dict[str, Any]],
) -> HttpResponse:
    """Show a tab of the last results there are; where there are none yet, that they are made."""
    now = timezone.now()
    standing = standing_of(campaign, now)
    context |= live_context(standing, now)
    if standing.results is None:
        return render(request, "reports/computing.html", context)
    context |= stamps_context(standing.results) | make(standing.results)
    return render(request, f"reports/tabs/{tab}.html", context | {"campaign": campaign})
