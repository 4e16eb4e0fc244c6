"""One annotator of a campaign, by pseudonym: what their votes are like, and whether they count."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.projects import Role, may, steered_or_404, visible_to
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import reinstate
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.quality.rules import verdict_on
from evalplatform.quality.selectors import measures_of
from evalplatform.quality.services import exclude_by_hand
from evalplatform.reports.cells import figure_in_words
from evalplatform.reports.effect import effect_of
from evalplatform.reports.other_votes import OtherVotes

_LONGEST_REASON = 500  # characters


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def person(request: HttpRequest, slug: str, pseudonym: str) -> HttpResponse:
    """What one annotator did, and what the headline would be without them.

    A POST excludes them (`action=exclude` with a `reason`) or takes that back (`reinstate`).
    """
    if request.method == "POST":
        campaign = steered_or_404(request.user, Campaign.objects.all(), Role.EDITOR, slug=slug)
        _decide(request, _enrolment_or_404(campaign, pseudonym))
        return redirect("reports:person", slug, pseudonym)
    campaign = get_object_or_404(visible_to(request.user, Campaign.objects.all()), slug=slug)
    enrolment = _enrolment_or_404(campaign, pseudonym)
    return render(request, "reports/person.html", _context(request, campaign, enrolment))


def _context(request: HttpRequest, campaign: Campaign, enrolment: Enrolment) -> dict[str, Any]:
    measures = measures_of(enrolment)
    milliseconds = measures.median_response_ms
    return {
        "seconds": "" if milliseconds is None else f"{milliseconds / 1000:.1f} s",
        "campaign": campaign,
        "enrolment": enrolment,
        "measures": measures,
        "broken": verdict_on(measures, campaign.checked_rules.quality),
        "is_excluded": enrolment.status == Enrolment.Status.DISQUALIFIED,
        "history": enrolment.exclusions.order_by("decided_at"),
        "effects": [_cells(each) for each in effect_of(enrolment)],
        "may_edit": may(request.user, campaign.project, Role.EDITOR),
    }


def _decide(request: HttpRequest, enrolment: Enrolment) -> None:
    action, now = request.POST.get("action", ""), timezone.now()
    reason = request.POST.get("reason", "").strip()
    if action == "exclude" and enrolment.status == Enrolment.Status.DISQUALIFIED:
        messages.error(request, f"{enrolment.annotator} is excluded already.")
    elif action == "exclude" and len(reason) > _LONGEST_REASON:
        messages.error(
            request, f"A reason of {len(reason):,} characters; accepted: 1 to {_LONGEST_REASON}."
        )
    elif action == "exclude":
        try:
            exclusion = exclude_by_hand(enrolment=enrolment, reason=reason, now=now)
        except BadInputError as error:
            messages.error(request, f"Nobody was excluded: {error}")
            return
        count = exclusion.votes.count()
        messages.success(
            request,
            f"{enrolment.annotator} is excluded: {counted(count, 'answer')} no longer count, "
            "and others may"
            " take the slots.",
        )
    elif action == "reinstate":
        _reinstate(request, enrolment)
    else:
        messages.error(request, f"{action[:20]!r} is not something that can be done.")


def _reinstate(request: HttpRequest, enrolment: Enrolment) -> None:
    exclusion = enrolment.exclusions.filter(revoked_at__isnull=True).first()
    if exclusion is None:
        messages.error(request, f"{enrolment.annotator} is not excluded any more.")
        return
    count = reinstate(exclusion=exclusion, now=timezone.now())
    out = exclusion.votes.count()
    messages.success(
        request,
        f"{enrolment.annotator} takes part again: {count:,} votes count again"
        + (f"; {out:,} stay out, as somebody else has judged there since." if out else "."),
    )


def _enrolment_or_404(campaign: Campaign, pseudonym: str) -> Enrolment:
    if "\0" in pseudonym:
        raise Http404
    known = campaign.enrolments.select_related("annotator", "campaign")
    return get_object_or_404(known, annotator__pseudonym=pseudonym)


def _cells(effect: OtherVotes) -> dict[str, Any]:
    return {
        "criterion": effect.criterion_label,
        "measure": f"{effect.measure} of {effect.arm}" if effect.arm else "net % of A",
        "arm": effect.arm,
        "now": figure_in_words(effect.as_reported, effect.is_share),
        "then": figure_in_words(effect.other, effect.is_share),
        "votes": effect.votes,
    }
