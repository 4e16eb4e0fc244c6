"""What who cannot begin, or go on here, is told: why, and what they can do."""

import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation import selectors
from evalplatform.annotation.doors.arrivals import Arrival
from evalplatform.annotation.doors.rate_limits import OverLimitError
from evalplatform.annotation.doors.way_back import way_back
from evalplatform.campaigns.models import Campaign


def not_now(
    request: HttpRequest, campaign: Campaign, arrival: Arrival | None
) -> HttpResponse | None:
    """Tell a newcomer why nobody can begin, and store nothing; None where they can."""
    state = selectors.closed_to_newcomers(campaign, timezone.now())
    if state is None:
        return None
    context = {
        "state": state,
        "campaign": campaign,
        "exit": way_back(arrival, campaign.checked_rules.crowd, state) if arrival else None,
        # With what the platform put into the address, which is kept nowhere else.
        "again": request.get_full_path() if request.method == "GET" else _work(campaign),
    }
    return render(request, "annotation/not_now.html", context)


def refused(
    request: HttpRequest, campaign: Campaign, reason: str, *, arrival: Arrival | None = None
) -> HttpResponse:
    """Tell what the campaign's door is, or why an invitation does not open it.

    `reason`: the door's name; `not_member`; or `used`, `expired`, `revoked` of an invitation.
    """
    sign_in = f"{reverse('accounts:sign_in')}?next={_work(campaign)}"
    context = {
        "reason": reason,
        "sign_in": sign_in,
        "exit": way_back(arrival, campaign.checked_rules.crowd, "closed") if arrival else None,
    }
    return render(request, "annotation/door.html", context, status=403)


def prove_yourself(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask who says that they take part already, in another browser, to show that it is them."""
    context = {"reason": "elsewhere", "work": _work(campaign)}
    return render(request, "annotation/door.html", context, status=403)


def taken_here(request: HttpRequest, campaign: Campaign, secret: str) -> HttpResponse:
    """Ask who comes with an invitation to a browser that works by another one who they are."""
    context = {"reason": "another", "work": _work(campaign), "secret": secret}
    return render(request, "annotation/door.html", context)


def too_many(request: HttpRequest, over: OverLimitError, reason: str) -> HttpResponse:
    """Say that too many tried from here, and when to come again: 429.

    `reason`: `limit` where they would begin, `wrong` where they tried links that do not exist.
    """
    context = {"reason": reason, "minutes": math.ceil(over.retry_after / 60)}
    response = render(request, "annotation/door.html", context, status=429)
    response["Retry-After"] = str(over.retry_after)
    response["Cache-Control"] = "no-store"
    return response


def _work(campaign: Campaign) -> str:
    return reverse("annotation:work", args=[campaign.invitation])
