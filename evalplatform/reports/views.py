"""The list of campaigns, what is done with one, its files; its tabs are in campaign_views."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalplatform.accounts.current import in_current_project
from evalplatform.accounts.projects import Role, may, projects_of, steered_or_404, visible_to
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.welcome import welcome_context
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.sample_faults import FaultySamplesError
from evalplatform.campaigns.selectors import of_no_series
from evalplatform.campaigns.services import (
    allow,
    close_campaign,
    pause_campaign,
    resume_campaign,
)
from evalplatform.core.errors import BadInputError
from evalplatform.core.sending import send_stored
from evalplatform.reports.beside import files_beside
from evalplatform.reports.cached import results_of
from evalplatform.reports.campaign_table import campaign_table, state_choices
from evalplatform.reports.comparison_page import comparison_context
from evalplatform.reports.computing import standing_of
from evalplatform.reports.csv_files import checks_csv, groups_csv, samples_csv, withheld_csv
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.exports import results_json
from evalplatform.reports.forms import PlanForm
from evalplatform.reports.live import live_context
from evalplatform.reports.planning import components_in_words, detects
from evalplatform.reports.preparing import PREPARING, preparing_context
from evalplatform.reports.preview import image_at, set_context, slot_at
from evalplatform.reports.votes_csv import votes_csv

CSV = "text/csv; charset=utf-8"

_STEERING = {"pause": pause_campaign, "resume": resume_campaign, "close": close_campaign}


@require_safe
@login_required
def compare(request: HttpRequest) -> HttpResponse:
    """Two campaigns side by side: `?first=SLUG&second=SLUG`."""
    return render(request, "reports/compare.html", comparison_context(request))


@require_safe
@login_required
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Campaigns of the person’s projects, with state and progress; those of a flow by search."""
    campaigns = in_current_project(request, visible_to(request.user, Campaign.objects.all()))
    if not request.GET.get("q"):
        campaigns = of_no_series(campaigns)
    context = {
        "table": campaign_table(campaigns, request.GET),
        "states": state_choices(request.GET),
        "any": campaigns.exists(),
        "may_create": projects_of(request.user, Role.EDITOR).exists(),
    }
    return render(request, "reports/campaign_list.html", context)


@require_safe
@login_required
@never_cache
def state(request: HttpRequest, slug: str) -> HttpResponse:
    """How far voting is and how old the results are, for a page to show again every few seconds.

    `?shown=` is the mark of the results that the page shows: where there are others by now, the
    answer says so to htmx (`newer-results`), and in words to who has no script.
    """
    campaign = _campaign_or_404(request, slug)
    now = timezone.now()
    standing = standing_of(campaign, now)
    shown = request.GET.get("shown", "")
    context = live_context(standing, now, shown=shown) | {"campaign": campaign}
    response = render(request, "reports/_live.html", context)
    if context["has_newer"]:
        response["HX-Trigger"] = "newer-results"
    return response


@require_POST
@login_required
def steer(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause a campaign, let it go on, close it, or let what holds it back through."""
    campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
    action = request.POST.get("action", "")
    if action == "let_through":
        _let_through(request, campaign)
    elif action not in _STEERING:
        messages.error(request, f"{action[:20]!r} is not something that can be done.")
    elif not _STEERING[action](campaign=campaign):
        messages.error(request, f"It is {campaign.get_status_display().lower()} by now.")
    return redirect("reports:dashboard", slug)


def _let_through(request: HttpRequest, campaign: Campaign) -> None:
    is_prepared = campaign.status in PREPARING
    held = preparing_context(campaign, timezone.now())["held"] if is_prepared else None
    if not isinstance(held, FaultySamplesError):
        messages.error(request, "Nothing of it is held back that could be let through.")
        return
    try:
        allow(campaign=campaign, **held.needed)
    except BadInputError as error:  # it opened meanwhile
        messages.error(request, str(error))
        return
    messages.success(request, f"It lets through {held.needed_in_words}.")


@require_safe
@login_required
@never_cache
def progress(request: HttpRequest, slug: str) -> HttpResponse:
    """How far a campaign is prepared, for its page to show again; 205 once it has opened."""
    campaign = _campaign_or_404(request, slug)
    if campaign.status not in PREPARING:
        return HttpResponse(status=205)
    context = preparing_context(campaign, timezone.now())
    if context["held"]:
        context["may_edit"] = may(request.user, campaign.project, Role.EDITOR)
    return render(request, "reports/_preparing.html", context)


@require_safe
@login_required
@never_cache
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What annotators read before they agree; whoever looks here does not become one."""
    campaign = _campaign_or_404(request, slug)
    context = welcome_context(campaign) | {"has_sets": campaign.item_count > 0}
    return render(request, "reports/preview_welcome.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def preview_set(request: HttpRequest, slug: str, position: int) -> HttpResponse:
    """One set as annotators see it; an answer leads here too, to the next one, and no further."""
    campaign, slot = _slot_or_404(request, slug, position)
    if request.method == "POST":
        return redirect("reports:preview_set", slug, position)
    return render(request, "reports/preview_set.html", set_context(campaign, slot))


@require_safe
@login_required
def preview_image(request: HttpRequest, slug: str, position: int, at: int) -> HttpResponseBase:
    """The image at one position of such a set."""
    _, slot = _slot_or_404(request, slug, position)
    name = image_at(slot, at)
    if name is None:
        raise Http404
    try:
        return send_stored(name)
    except FileNotFoundError as error:
        raise Http404 from error


def _campaign_or_404(request: HttpRequest, slug: str) -> Campaign:
    return get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)


def _slot_or_404(request: HttpRequest, slug: str, position: int) -> tuple[Campaign, Assignment]:
    campaign = _campaign_or_404(request, slug)
    slot = slot_at(campaign, position)
    if slot is None:
        raise Http404
    return campaign, slot


@require_safe
@login_required
def plan_campaign(request: HttpRequest) -> HttpResponse:
    """How many prompts, annotators and votes a campaign needs; the form's answers in the URL."""
    given = PlanForm.filled(request.GET) if request.GET else None
    form = PlanForm(given, user=request.user)
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid() and form.answer:
        found = form.answer
        context |= {
            "found": found,
            "components": components_in_words(found.question.components),
            "floor": f"{100 * (found.plan.floor or 0):.1f}",
            "columns": [each.prompts for each in found.others[0]] if found.others else [],
            "table": [
                (row[-1].annotators, [detects(each) for each in row]) for row in found.others
            ],
        }
    return render(request, "reports/plan.html", context)


CSV_FILES = {
    "checks.csv": checks_csv,
    "groups.csv": groups_csv,
    "samples.csv": samples_csv,
    "withheld.csv": withheld_csv,
}


@require_safe
@login_required
def export(request: HttpRequest, slug: str, kind: str) -> HttpResponseBase:
    """Download one of the CSV files (`?for=excel`), results.json or the offline dashboard."""
    campaign = _campaign_or_404(request, slug)
    for_excel = request.GET.get("for") == "excel"
    response: HttpResponseBase
    if kind == "votes.csv":
        pieces = votes_csv(campaign, for_excel=for_excel)
        response = StreamingHttpResponse(pieces, content_type=CSV)
    elif kind == "results.json":
        content = results_json(results_of(campaign))
        response = JsonResponse(content, json_dumps_params={"indent": 2})
    elif kind == "dashboard.html":
        response = HttpResponse(offline_dashboard(results_of(campaign)))
    elif kind in CSV_FILES:
        text = CSV_FILES[kind](results_of(campaign), for_excel=for_excel)
        response = HttpResponse(text, content_type=CSV)
    elif text := files_beside(campaign).get(kind, ""):
        response = HttpResponse(text, content_type="application/json")
    else:
        raise Http404
    response["Content-Disposition"] = f'attachment; filename="{campaign.slug}-{kind}"'
    return response
