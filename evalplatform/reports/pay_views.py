"""What a campaign's answers took and cost, and the list for payment."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from evalplatform.accounts.projects import Role, may, require_role, visible_to
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.pay import TIME_RULE, pay_summary, payments, payments_csv


@require_safe
@login_required
def pay(request: HttpRequest, slug: str) -> HttpResponse:
    """Median times, implied wage, sums, and a row for each annotator."""
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    found = pay_summary(campaign)
    context: dict[str, Any] = {
        "campaign": campaign,
        "found": found,
        "rows": payments(campaign, found.per_vote),
        "rule": TIME_RULE,
        "sees_ids": may(request.user, campaign.project, Role.OWNER),
        "is_below": bool(
            found.implied_wage
            and found.wage_per_hour
            and found.implied_wage < 0.95 * found.wage_per_hour
        ),
    }
    return render(request, "reports/pay.html", context)


@require_safe
@login_required
def pay_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The list for payment; `?ids` adds ids at crowd platforms, for owners of the project."""
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    wants_ids = "ids" in request.GET
    if wants_ids:
        require_role(request.user, campaign.project, Role.OWNER)
    text = payments_csv(
        campaign,
        payments(campaign),
        with_crowd_ids=wants_ids,
        for_excel=request.GET.get("for") == "excel",
    )
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{campaign.slug}-pay.csv"'
    return response
