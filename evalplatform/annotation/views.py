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
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from evalplatform.annotation import services, statements
from evalplatform.annotation.comprehension import questions_shown
from evalplatform.annotation.doors.personal_links import personal_path
from evalplatform.annotation.doors.session import Coming, recall
from evalplatform.annotation.doors.way_back import way_back
from evalplatform.annotation.entrance import admission
from evalplatform.annotation.entrance.identity import annotator_id, annotator_ids
from evalplatform.annotation.examples import example_image, examples_beside
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.presentation import page_state, pages_of, screen_shown
from evalplatform.annotation.requests import answers_of, uuid_of, want_of, width_of
from evalplatform.annotation.welcome import welcome_context
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.core.languages import speak_one_of
from evalplatform.core.sending import send_stored
from evalplatform.core.site import site_link

KEEP_SECONDS = 3600  # an image, in the browser of an annotator, whose device may not be theirs
# What every answer about items waits on average. To make a check takes 0.2 ms longer than to lease
# an item, and nobody may read that from the times.
BLUR_SECONDS = 0.002
# What an action did: its receipt, and what the annotator holds now where it says that too.
Done = tuple[services.Receipt, list[Assignment] | None]
VISIBLE = (Campaign.Status.OPEN, Campaign.Status.PAUSED, Campaign.Status.CLOSED)


@require_GET
@never_cache
def work(request: HttpRequest, invitation: str) -> HttpResponse:
    """What to judge; before consent, the welcome page or why not; at the end, thanks."""
    campaign = _campaign(invitation)
    if campaign is None:
        return admission.wrong_link(request)
    speak_one_of(request, campaign.checked_rules.annotation.languages)
    if request.GET:
        try:
            entered = admission.come(request, campaign)
        except BadInputError as error:
            return _problem(request, None, str(error))
        if entered is not None:
            return entered
    enrolment = admission.enrolment_here(request, campaign)
    if enrolment is None:
        coming = recall(request, campaign)
        return admission.why_not(request, campaign, coming) or _welcome(request, campaign, coming)
    grid = campaign.checked_rules.annotation.grid
    state = _state(enrolment, want=max(1, grid))
    if state["state"] == "comprehension":
        return _comprehension(request, campaign, state["comprehension"])
    context = {
        "campaign": campaign,
        "state": state,
        "shown": screen_shown(state["sets"], grid),
        "pages": pages_of(campaign),
        "grid": grid,
        "examples": examples_beside(campaign),
        "me": _opaque(enrolment),
        "layout": campaign.checked_rules.annotation.layout.value,
        "explains": not state["progress"]["done"],
    }
    return render(request, "annotation/work.html", context)


def _opaque(enrolment: Enrolment) -> str:
    """Tell the people who share a browser apart, without telling who they are."""
    return salted_hmac("annotator", str(enrolment.annotator_id)).hexdigest()[:16]


def _welcome(request: HttpRequest, campaign: Campaign, coming: Coming) -> HttpResponse:
    rules = campaign.checked_rules.crowd
    leads_back = coming.arrival and way_back(coming.arrival, rules, "finished", judged=1)
    context = welcome_context(campaign) | {"platform": rules.label if leads_back else ""}
    return render(request, "annotation/welcome.html", context)


@require_GET
@never_cache
def elsewhere(request: HttpRequest, invitation: str) -> HttpResponse:
    """The personal link by which an annotator goes on in another browser."""
    campaign = _campaign(invitation)
    if campaign is None:
        return admission.wrong_link(request)
    known = admission.enrolment_here(request, campaign)
    if known is None:
        return redirect("annotation:work", invitation=invitation)
    enrolment = Enrolment.objects.select_related("annotator", "campaign").get(pk=known.pk)
    context = {
        "campaign": campaign,
        "link": site_link(personal_path(enrolment), request),
        "is_member": enrolment.member_id is not None,
    }
    return render(request, "annotation/elsewhere.html", context)


@require_GET
def example(request: HttpRequest, public_id: uuid.UUID, position: int) -> HttpResponseBase:
    """One image of an example; its answer is no secret."""
    try:
        name = example_image(public_id, position, width_of(request.GET))
    except BadInputError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    if name is None:
        raise Http404
    return send_stored(name, keep_seconds=KEEP_SECONDS)


@require_POST
def begin(request: HttpRequest, invitation: str) -> HttpResponse:
    """Consent given: enrol whoever may begin."""
    campaign = _campaign(invitation)
    return admission.wrong_link(request) if campaign is None else admission.begin(request, campaign)


@require_POST
def comprehension(request: HttpRequest, invitation: str) -> HttpResponse:
    """Store a try at the questions about the instructions."""
    enrolment = _enrolment(request, invitation)
    number = request.POST.get("try", "")
    try:
        services.answer_comprehension(
            enrolment=enrolment,
            number=int(number) if number in ("1", "2") else 0,
            given={name: str(value) for name, value in request.POST.items()},
            now=timezone.now(),
        )
    except Enrolment.DoesNotExist as error:
        raise Http404 from error
    except BadInputError as error:
        campaign = get_object_or_404(Campaign, invitation=invitation)
        return _comprehension(request, campaign, questions_shown(enrolment), problem=str(error))
    return redirect("annotation:work", invitation=invitation)


def _comprehension(
    request: HttpRequest, campaign: Campaign, asked: dict[str, Any], *, problem: str = ""
) -> HttpResponse:
    context = welcome_context(campaign) | {"asked": asked, "problem": problem}
    page = "annotation/comprehension.html"
    return render(request, page, context, status=400 if problem else 200)


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
    """Record a vote, or those of a grid; answers with the last receipt and the next sets."""

    def act(enrolment: Enrolment, form: QueryDict, want: int) -> Done:
        *first, last = answers_of(form)
        for answer in first:
            services.record_vote(enrolment=enrolment, answer=answer, now=timezone.now())
        now = timezone.now()
        if not want:
            return services.record_vote(enrolment=enrolment, answer=last, now=now), None
        return services.record_vote_and_lease(enrolment=enrolment, answer=last, want=want, now=now)

    return _act(request, invitation, act)


@require_POST
def undo(request: HttpRequest, invitation: str) -> HttpResponse:
    """Take the last vote back."""

    def act(enrolment: Enrolment, form: QueryDict, want: int) -> Done:
        key = uuid_of(form, "idempotency_key") if form.get("idempotency_key") else None
        return services.undo_vote(enrolment=enrolment, key=key, now=timezone.now()), None

    return _act(request, invitation, act)


@require_POST
def skip(request: HttpRequest, invitation: str) -> HttpResponse:
    """Pass a set over, with a reason."""

    def act(enrolment: Enrolment, form: QueryDict, want: int) -> Done:
        receipt = services.skip_assignment(
            enrolment=enrolment,
            public_id=uuid_of(form, "assignment"),
            reason=form.get("reason", ""),
            now=timezone.now(),
        )
        return receipt, None

    return _act(request, invitation, act)


@require_POST
def questionnaire(request: HttpRequest, invitation: str) -> HttpResponse:
    """Store the answers of the questionnaire."""

    def act(enrolment: Enrolment, form: QueryDict, want: int) -> Done:
        services.answer_questionnaire(enrolment=enrolment, given=form.dict())  # type: ignore[arg-type]
        return services.Receipt.RECORDED, None

    return _act(request, invitation, act)


def _act(
    request: HttpRequest, invitation: str, action: Callable[[Enrolment, QueryDict, int], Done]
) -> HttpResponse:
    """Do it, and answer with its receipt and the next state; or, to a plain form, with the page."""
    enrolment = _enrolment(request, invitation)
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    try:
        want = want_of(request.POST, least=0) if wants_json else 0
        receipt, held = action(enrolment, request.POST, want)
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
        body["next"] = _state(enrolment, want=want, held=held)
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
    asking = annotator_ids(request)
    try:
        width = width_of(request.GET)
    except BadInputError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    name = statements.file_held(asking, public_id, position, width) if asking else None
    if not name:
        raise Http404
    return send_stored(name, keep_seconds=KEEP_SECONDS)


def _campaign(invitation: str) -> Campaign | None:
    if not invitation.isprintable():
        return None
    return Campaign.objects.filter(invitation=invitation, status__in=VISIBLE).first()


def _enrolment(request: HttpRequest, invitation: str) -> Enrolment:
    """Return the asker's enrolment, not read yet: every service reads it as it locks it."""
    asking = annotator_id(request, invitation)
    if asking is None or not invitation.isprintable():
        raise Http404
    return statements.unread_enrolment(asking, invitation)


def _state(
    enrolment: Enrolment, *, want: int, held: list[Assignment] | None = None
) -> dict[str, Any]:
    """Return the page's state; `held`: what was leased together with the last answer."""
    now = timezone.now()
    if held is None:
        held = services.lease_items(enrolment=enrolment, want=want, now=now)
    _blur_the_time()
    return page_state(enrolment, held, now)


def _blur_the_time() -> None:
    time.sleep(random.expovariate(1 / BLUR_SECONDS))
