"""The annotator's pages. Nothing sent from here names a checkpoint or a campaign.

Every action works as a plain form; its script asks for JSON instead and stays on the page.
"""

import random
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from evalplatform.accounts.models import Annotator
from evalplatform.accounts.services import ensure_crowd_annotator
from evalplatform.annotation import selectors, services, statements
from evalplatform.annotation.arrivals import Arrival, arrival_of
from evalplatform.annotation.examples import example_image
from evalplatform.annotation.identity import annotator_id, sign_in
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.presentation import page_state, pages_of
from evalplatform.annotation.requests import answer_of, key_of, uuid_of, want_of
from evalplatform.annotation.returns import way_back
from evalplatform.annotation.welcome import welcome_context
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.sending import send_stored

ARRIVAL_KEY = "arrival"
KEEP_SECONDS = 3600  # an image, in the browser of an annotator, whose device may not be theirs
# What every answer about items waits on average. To make a check takes 0.2 ms longer than to lease
# an item, and nobody may read that from the times.
BLUR_SECONDS = 0.002
VISIBLE = (Campaign.Status.OPEN, Campaign.Status.PAUSED, Campaign.Status.CLOSED)


@require_GET
@never_cache
def work(request: HttpRequest, invitation: str) -> HttpResponse:
    """What to judge; before consent, the welcome page or why not now; at the end, thanks."""
    campaign = _campaign(invitation)
    if request.GET:
        entered = _enter(request, campaign)
        if entered is not None:
            return entered
    enrolment = selectors.enrolment_of(annotator_id(request), invitation)
    if enrolment is None:
        return _not_now(request, campaign, _arrival_kept(request)) or _welcome(request, campaign)
    state = _state(enrolment, want=1)
    context = {
        "campaign": campaign,
        "state": state,
        "shown": state["sets"][0] if state["sets"] else None,
        "pages": pages_of(campaign),
        "me": _opaque(enrolment),
    }
    return render(request, "annotation/work.html", context)


def _opaque(enrolment: Enrolment) -> str:
    """Tell the people who share a browser apart, without telling who they are."""
    return salted_hmac("annotator", str(enrolment.annotator_id)).hexdigest()[:16]


def _enter(request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
    """Let in who comes by a personal link or from a crowd platform; None for anybody else.

    Afterwards the address is clean: neither key nor platform id stays in the address bar.
    """
    key = request.GET.get("key")
    if key:
        try:
            annotator = selectors.annotator_named(key_of(key))
        except BadInputError as error:
            return _problem(request, None, str(error))
        if annotator is None:
            raise Http404
        return sign_in(redirect("annotation:work", invitation=campaign.invitation), annotator)
    try:
        arrival = arrival_of(request.GET.dict(), campaign.checked_rules.crowd)
    except BadInputError as error:
        return _problem(request, None, str(error))
    if arrival is None:
        return None
    if not selectors.has_enrolled(campaign, arrival):
        page = _not_now(request, campaign, arrival)
        if page is not None:
            return page
    annotator = _arrive(request, campaign, arrival)
    return sign_in(redirect("annotation:work", invitation=campaign.invitation), annotator)


def _arrive(request: HttpRequest, campaign: Campaign, arrival: Arrival) -> Annotator:
    annotator = ensure_crowd_annotator(platform=arrival.platform, external_id=arrival.external_id)
    enrolment = selectors.enrolment_of(annotator.pk, campaign.invitation)
    if enrolment is None:  # remembered until they agree to take part
        request.session[ARRIVAL_KEY] = arrival.as_dict()
    else:
        services.record_visit(enrolment=enrolment, arrival=arrival)
    return annotator


def _arrival_kept(request: HttpRequest) -> Arrival | None:
    """Return how somebody came who has not agreed to take part yet."""
    kept = request.session.get(ARRIVAL_KEY)
    return Arrival(**kept) if kept else None


def _not_now(
    request: HttpRequest, campaign: Campaign, arrival: Arrival | None
) -> HttpResponse | None:
    """Tell a newcomer why they cannot begin, and store nothing; None where they can."""
    state = selectors.closed_to_newcomers(campaign, timezone.now())
    if state is None:
        return None
    work_url = reverse("annotation:work", args=[campaign.invitation])
    context = {
        "state": state,
        "exit": way_back(arrival, campaign.checked_rules.crowd, state) if arrival else None,
        # With what the platform put into the address, which is kept nowhere else.
        "again": request.get_full_path() if request.method == "GET" else work_url,
    }
    return render(request, "annotation/not_now.html", context)


def _welcome(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    arrival = _arrival_kept(request)
    rules = campaign.checked_rules.crowd
    leads_back = arrival is not None and way_back(arrival, rules, "finished", judged=1)
    context = welcome_context(campaign) | {"platform": rules.label if leads_back else ""}
    return render(request, "annotation/welcome.html", context)


@require_GET
def example(request: HttpRequest, public_id: uuid.UUID, position: int) -> HttpResponseBase:
    """One image of an example; its answer is no secret."""
    name = example_image(public_id, position)
    if name is None:
        raise Http404
    return send_stored(name, "image/png", keep_seconds=KEEP_SECONDS)


@require_POST
def begin(request: HttpRequest, invitation: str) -> HttpResponse:
    """Consent given: make the annotator known and enrol them, if there is something to judge."""
    campaign = _campaign(invitation)
    identifier = annotator_id(request)
    arrival = _arrival_kept(request)
    if selectors.enrolment_of(identifier, invitation) is None:
        page = _not_now(request, campaign, arrival)
        if page is not None:
            return page
    annotator = Annotator.objects.filter(pk=identifier).first() if identifier else None
    if annotator is None:
        annotator = Annotator.objects.create()
    request.session.pop(ARRIVAL_KEY, None)
    services.enrol(campaign=campaign, annotator=annotator, arrival=arrival)
    return sign_in(redirect("annotation:work", invitation=invitation), annotator)


@require_GET
@never_cache
def next_sets(request: HttpRequest, invitation: str) -> JsonResponse:
    """The state of the page as JSON: the sets held, or why there are none."""
    try:
        want = want_of(request.GET, least=1)
        return JsonResponse(_state(_enrolment(request, invitation), want=want))
    except BadInputError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except Enrolment.DoesNotExist as error:
        raise Http404 from error


@require_POST
def vote(request: HttpRequest, invitation: str) -> HttpResponse:
    """Record a vote; answers with the receipt and the next sets."""
    return _act(
        request,
        invitation,
        lambda enrolment, form: services.record_vote(
            enrolment=enrolment, answer=answer_of(form), now=timezone.now()
        ),
    )


@require_POST
def undo(request: HttpRequest, invitation: str) -> HttpResponse:
    """Take the last vote back."""

    def act(enrolment: Enrolment, form: QueryDict) -> services.Receipt:
        key = uuid_of(form, "idempotency_key") if form.get("idempotency_key") else None
        return services.undo_vote(enrolment=enrolment, key=key, now=timezone.now())

    return _act(request, invitation, act)


@require_POST
def skip(request: HttpRequest, invitation: str) -> HttpResponse:
    """Pass a set over, with a reason."""
    return _act(
        request,
        invitation,
        lambda enrolment, form: services.skip_assignment(
            enrolment=enrolment,
            public_id=uuid_of(form, "assignment"),
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
        want = want_of(request.POST, least=0)
        receipt = action(enrolment, request.POST)
    except Enrolment.DoesNotExist as error:
        raise Http404 from error
    except (BadInputError, services.UnknownAssignmentError) as error:
        if wants_json:
            return JsonResponse({"error": str(error)}, status=400)
        return _problem(request, invitation, str(error))
    if not wants_json:
        return redirect("annotation:work", invitation=invitation)
    body: dict[str, Any] = {"receipt": receipt.value}
    if want:
        body["next"] = _state(enrolment, want=want)
    else:
        _blur_the_time()
    return JsonResponse(body)


def _problem(request: HttpRequest, invitation: str | None, message: str) -> HttpResponse:
    """A page that says what was wrong, with the way back to the work if there is one."""
    context = {"invitation": invitation, "message": message}
    return render(request, "annotation/problem.html", context, status=400)


@require_GET
def image(request: HttpRequest, public_id: uuid.UUID, position: int) -> HttpResponseBase:
    """One image of a set the annotator holds: an address that is good for this set alone."""
    asking = annotator_id(request)
    name = None if asking is None else statements.file_held(asking, public_id, position)
    if not name:
        raise Http404
    return send_stored(name, "image/png", keep_seconds=KEEP_SECONDS)


def _campaign(invitation: str) -> Campaign:
    if not invitation.isprintable():
        raise Http404
    return get_object_or_404(Campaign, invitation=invitation, status__in=VISIBLE)


def _enrolment(request: HttpRequest, invitation: str) -> Enrolment:
    """Return the asker's enrolment, not read yet: every service reads it as it locks it."""
    asking = annotator_id(request)
    if asking is None or not invitation.isprintable():
        raise Http404
    return Enrolment(annotator_id=asking, campaign=Campaign(invitation=invitation))


def _state(enrolment: Enrolment, *, want: int) -> dict[str, Any]:
    now = timezone.now()
    held = services.lease_items(enrolment=enrolment, want=want, now=now)
    _blur_the_time()
    return page_state(enrolment, held, now)


def _blur_the_time() -> None:
    time.sleep(random.expovariate(1 / BLUR_SECONDS))
