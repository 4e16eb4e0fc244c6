"""The annotator's pages. Nothing sent from here names a checkpoint or a campaign.

Every action works as a plain form; `annotate.js` asks for JSON instead and stays on the page.
"""

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from evalplatform.accounts.models import Annotator
from evalplatform.annotation import selectors, services
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.presentation import MAX_WANT, page_state
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

Number = TypeVar("Number", int, float)
SESSION_KEY = "annotator"
VISIBLE = (Campaign.Status.OPEN, Campaign.Status.PAUSED, Campaign.Status.CLOSED)


@require_GET
@never_cache
def work(request: HttpRequest, invitation: str) -> HttpResponse:
    """The pair to judge; before consent, the welcome page; at the end, thanks."""
    campaign = _campaign(invitation)
    key = request.GET.get("key")
    if key:
        annotator = selectors.annotator_named(key)
        if annotator is None:
            raise Http404
        _sign_in(request, annotator)
        return redirect("annotation:work", invitation=invitation)
    enrolment = selectors.enrolment_of(_annotator_id(request), invitation)
    if enrolment is None:
        return _welcome(request, campaign)
    state = _state(enrolment, want=1)
    pair = state["pairs"][0] if state["pairs"] else None
    context = {"campaign": campaign, "state": state, "pair": pair}
    return render(request, "annotation/work.html", context)


def _welcome(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    rules = campaign.checked_rules
    context = {
        "campaign": campaign,
        "criteria": [
            {
                "label": criterion.get_kind_display(),
                "question": criterion.question,
                "instructions": CRITERIA[criterion.kind].instructions[criterion.answers],
                "shows_prompt": criterion.shows_prompt,
            }
            for criterion in campaign.criteria.all()
        ],
        "examples": [],
        "pairs_expected": rules.annotation.session_cap,
        "qualification": rules.quality.qualification_pairs,
        "platform": "",
        "preview": False,
    }
    return render(request, "annotation/welcome.html", context)


@require_POST
def begin(request: HttpRequest, invitation: str) -> HttpResponse:
    """Consent given: make the annotator known and enrol them."""
    campaign = _campaign(invitation)
    identifier = _annotator_id(request)
    annotator = Annotator.objects.filter(pk=identifier).first() if identifier else None
    if annotator is None:
        annotator = Annotator.objects.create()
        _sign_in(request, annotator)
    services.enrol(campaign=campaign, annotator=annotator)
    return redirect("annotation:work", invitation=invitation)


@require_GET
@never_cache
def next_pair(request: HttpRequest, invitation: str) -> JsonResponse:
    """The state of the page as JSON: the pairs held, or why there are none."""
    return JsonResponse(_state(_enrolment(request, invitation), want=_want(request.GET, least=1)))


@require_POST
def vote(request: HttpRequest, invitation: str) -> HttpResponse:
    """Record a vote; answers with the receipt and the next pairs."""
    return _act(
        request,
        invitation,
        lambda enrolment, form: services.record_vote(
            enrolment=enrolment, answer=_answer(form), now=timezone.now()
        ),
    )


@require_POST
def undo(request: HttpRequest, invitation: str) -> HttpResponse:
    """Take the last vote back."""

    def act(enrolment: Enrolment, form: QueryDict) -> services.Receipt:
        key = _uuid(form, "idempotency_key") if form.get("idempotency_key") else None
        return services.undo_vote(enrolment=enrolment, key=key, now=timezone.now())

    return _act(request, invitation, act)


@require_POST
def skip(request: HttpRequest, invitation: str) -> HttpResponse:
    """Pass a pair over, with a reason."""
    return _act(
        request,
        invitation,
        lambda enrolment, form: services.skip_assignment(
            enrolment=enrolment,
            public_id=_uuid(form, "assignment"),
            reason=form.get("reason", ""),
            now=timezone.now(),
        ),
    )


@require_POST
def questionnaire(request: HttpRequest, invitation: str) -> HttpResponse:
    """Store the answers of the questionnaire."""

    def act(enrolment: Enrolment, form: QueryDict) -> services.Receipt:
        services.answer_questionnaire(enrolment=enrolment, given=form.dict())  # type: ignore[arg-type]
        return services.Receipt.RECORDED

    return _act(request, invitation, act)


def _act(
    request: HttpRequest,
    invitation: str,
    action: Callable[[Enrolment, QueryDict], services.Receipt],
) -> HttpResponse:
    """Do it, and answer with its receipt and the next state; or, to a plain form, with the page."""
    enrolment = _enrolment(request, invitation)
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    try:
        want = _want(request.POST, least=0)
        receipt = action(enrolment, request.POST)
    except (BadInputError, services.UnknownAssignmentError) as error:
        if wants_json:
            return JsonResponse({"error": str(error)}, status=400)
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    if not wants_json:
        return redirect("annotation:work", invitation=invitation)
    body: dict[str, Any] = {"receipt": receipt.value}
    if want:
        body["next"] = _state(enrolment, want=want)
    return JsonResponse(body)


@require_GET
def image(request: HttpRequest, public_id: uuid.UUID, side: str) -> HttpResponseBase:
    """One side of a pair the annotator holds: an address that is good for this pair alone."""
    annotator_id = _annotator_id(request)
    if annotator_id is None or side not in ("left", "right"):
        raise Http404
    assignment = selectors.held_assignment(annotator_id=annotator_id, public_id=str(public_id))
    if assignment is None:
        raise Http404
    return send_image(assignment.image_on(side))


def send_image(name: str) -> HttpResponseBase:
    """Send a stored image without its name: by the proxy in front where there is one."""
    response: HttpResponseBase
    if settings.IMAGE_ACCEL_PREFIX:
        response = HttpResponse(content_type="image/png")
        response["X-Accel-Redirect"] = f"{settings.IMAGE_ACCEL_PREFIX}{name}"
    else:
        response = FileResponse(default_storage.open(name), content_type="image/png")
        del response["Content-Disposition"]
    response["Cache-Control"] = "private, max-age=3600, immutable"
    return response


def _campaign(invitation: str) -> Campaign:
    return get_object_or_404(Campaign, invitation=invitation, status__in=VISIBLE)


def _sign_in(request: HttpRequest, annotator: Annotator) -> None:
    request.session.cycle_key()  # a session id from before must not carry over
    request.session[SESSION_KEY] = annotator.pk


def _annotator_id(request: HttpRequest) -> int | None:
    identifier = request.session.get(SESSION_KEY)
    return int(identifier) if identifier else None


def _enrolment(request: HttpRequest, invitation: str) -> Enrolment:
    enrolment = selectors.enrolment_of(_annotator_id(request), invitation)
    if enrolment is None:
        raise Http404
    return enrolment


def _state(enrolment: Enrolment, *, want: int) -> dict[str, Any]:
    now = timezone.now()
    held = services.hold_pairs(enrolment=enrolment, want=want, now=now)
    return page_state(enrolment, held, now)


def _want(form: QueryDict, *, least: int) -> int:
    """Return how many pairs a request wants to hold, within bounds."""
    given = form.get("want", "1")
    if not given.isascii() or not given.isdigit():
        raise BadInputError(f"want={given!r}; send a number from {least} to {MAX_WANT}.")
    return min(max(int(given), least), MAX_WANT)


def _uuid(form: QueryDict, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(form.get(name, ""))
    except ValueError as error:
        raise BadInputError(f"{name} must be a UUID; reload the page.") from error


def _answer(form: QueryDict) -> services.Answer:
    zoomed = form.get("zoomed", "")
    return services.Answer(
        public_id=_uuid(form, "assignment"),
        choice=form.get("choice", ""),
        idempotency_key=_uuid(form, "idempotency_key"),
        response_time_ms=_number(form, "response_time_ms", int),
        viewport_width=_number(form, "viewport_width", int),
        viewport_height=_number(form, "viewport_height", int),
        pixel_ratio=_number(form, "pixel_ratio", float),
        zoomed=None if zoomed == "" else zoomed == "1",
    )


def _number(form: QueryDict, name: str, kind: Callable[[str], Number]) -> Number | None:
    given = form.get(name, "")
    try:
        return kind(given) if given else None
    except ValueError as error:
        raise BadInputError(f"{name} must be a number, not {given!r}; reload the page.") from error
