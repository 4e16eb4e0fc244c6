"""The annotator's pages. Nothing sent from here names a checkpoint or a campaign.

Every action works as a plain form; `annotate.js` asks for JSON instead and stays on the page.
"""

import uuid
from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from evalplatform.accounts.models import Annotator
from evalplatform.annotation import selectors, services
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.presentation import page_state
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

SESSION_KEY = "annotator"


@require_GET
@never_cache
def work(request: HttpRequest, invitation: str) -> HttpResponse:
    """The pair to judge; before consent, the welcome page; at the end, thanks."""
    campaign = _campaign(invitation)
    key = request.GET.get("key")
    if key:
        _sign_in(request, get_object_or_404(Annotator, access_key=key))
        return redirect("annotation:work", invitation=invitation)
    enrolment = selectors.enrolment_of(_annotator(request), campaign)
    if enrolment is None:
        criteria = [CRITERIA[criterion.kind] for criterion in campaign.criteria.all()]
        context = {"campaign": campaign, "criteria": criteria}
        return render(request, "annotation/welcome.html", context)
    state = _state(enrolment)
    return render(request, "annotation/work.html", {"campaign": campaign, "state": state})


@require_POST
def begin(request: HttpRequest, invitation: str) -> HttpResponse:
    """Consent given: make the annotator known and enrol them."""
    campaign = _campaign(invitation)
    annotator = _annotator(request)
    if annotator is None:
        annotator = Annotator.objects.create()
        _sign_in(request, annotator)
    services.enrol(campaign=campaign, annotator=annotator)
    return redirect("annotation:work", invitation=invitation)


@require_GET
@never_cache
def next_pair(request: HttpRequest, invitation: str) -> JsonResponse:
    """The state of the page as JSON: a pair, or why there is none."""
    enrolment = _enrolment(request, invitation)
    return JsonResponse(_state(enrolment))


@require_POST
def vote(request: HttpRequest, invitation: str) -> HttpResponse:
    """Record a vote; answers with the receipt and the next pair."""
    enrolment = _enrolment(request, invitation)
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    try:
        answer = _answer(request)
        receipt = services.record_vote(
            annotator=enrolment.annotator, answer=answer, now=timezone.now()
        )
    except (BadInputError, services.UnknownAssignmentError) as error:
        if wants_json:
            return JsonResponse({"error": str(error)}, status=400)
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    if not wants_json:
        return redirect("annotation:work", invitation=invitation)
    return JsonResponse({"receipt": receipt.value, "next": _state(enrolment)})


@require_GET
def image(request: HttpRequest, public_id: uuid.UUID, side: str) -> HttpResponse:
    """One side of a pair the annotator holds: an address that is good for this pair alone."""
    annotator = _annotator(request)
    if annotator is None or side not in ("left", "right"):
        raise Http404
    assignment = selectors.held_assignment(annotator=annotator, public_id=str(public_id))
    if assignment is None:
        raise Http404
    comparison = assignment.comparison
    wants_a = (side == "left") == assignment.a_on_left
    sample = comparison.sample_a if wants_a else comparison.sample_b
    with default_storage.open(sample.image) as file:
        content = file.read()
    response = HttpResponse(content, content_type="image/png")
    response["Cache-Control"] = "private, max-age=3600, immutable"
    return response


def _campaign(invitation: str) -> Campaign:
    visible = Campaign.objects.filter(status__in=[Campaign.Status.OPEN, Campaign.Status.CLOSED])
    return get_object_or_404(visible, invitation=invitation)


def _sign_in(request: HttpRequest, annotator: Annotator) -> None:
    request.session.cycle_key()  # a session id from before must not carry over
    request.session[SESSION_KEY] = annotator.pk


def _annotator(request: HttpRequest) -> Annotator | None:
    identifier = request.session.get(SESSION_KEY)
    return Annotator.objects.filter(pk=identifier).first() if identifier else None


def _enrolment(request: HttpRequest, invitation: str) -> Enrolment:
    enrolment = selectors.enrolment_of(_annotator(request), _campaign(invitation))
    if enrolment is None:
        raise Http404
    return enrolment


def _state(enrolment: Enrolment) -> dict[str, Any]:
    assignment = services.lease_next_assignment(enrolment=enrolment, now=timezone.now())
    return page_state(enrolment, assignment)


def _answer(request: HttpRequest) -> services.Answer:
    fields: dict[str, Any] = request.POST.dict()
    elapsed = fields.get("response_time_ms", "")
    try:
        return services.Answer(
            public_id=uuid.UUID(fields.get("assignment", "")),
            choice=fields.get("choice", ""),
            idempotency_key=uuid.UUID(fields.get("idempotency_key", "")),
            response_time_ms=int(elapsed) if elapsed else None,
        )
    except ValueError as error:
        raise BadInputError(
            "the vote is incomplete: assignment and idempotency_key must be UUIDs and "
            "response_time_ms a whole number; reload the page."
        ) from error
