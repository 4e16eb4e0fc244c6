"""How annotators come to a flow: one link, one consent, then from batch to batch."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.doors.places import footprint_of
from evalplatform.annotation.doors.rate_limits import OverLimitError, count_beginning
from evalplatform.annotation.entrance.identity import annotator_id, sign_in
from evalplatform.annotation.entrance.refusal_pages import too_many
from evalplatform.core.addresses import client_network
from evalplatform.flows import selectors, services
from evalplatform.flows.models import Flow
from evalplatform.flows.welcome import flow_welcome

LOOK_AGAIN_SECONDS = 5


def annotator_here(request: HttpRequest, flow: Flow) -> Annotator | None:
    """Return who this browser works as where they agreed to the flow; None for a newcomer."""
    known = annotator_id(request, flow.invitation)
    if known is None or not selectors.has_agreed(flow, known):
        return None
    return Annotator.objects.filter(pk=known).first()


def lead_on(request: HttpRequest, flow: Flow) -> HttpResponse:
    """Lead an annotator to the next batch; a newcomer to the welcome page, else why not."""
    annotator = annotator_here(request, flow)
    if flow.status == Flow.Status.CLOSED:
        return _page(request, flow, "closed")
    if annotator is None:
        return render(request, "flows/welcome.html", flow_welcome(flow))
    if selectors.is_turned_away(flow, annotator):
        return _page(request, flow, "turned_away")
    campaign = services.enrol_in_next(
        flow=flow,
        annotator=annotator,
        now=timezone.now(),
        footprint=lambda campaign: footprint_of(request, campaign),
    )
    if campaign is None:
        return _page(request, flow, "waiting")
    return sign_in(
        request,
        redirect("annotation:work", invitation=campaign.invitation),
        campaign.invitation,
        annotator,
    )


def begin(request: HttpRequest, flow: Flow) -> HttpResponse:
    """Consent given: make the annotator known, and lead them on."""
    here = redirect(flow.entrance)
    if flow.status == Flow.Status.CLOSED or annotator_here(request, flow) is not None:
        return here
    known = annotator_id(request, flow.invitation)
    annotator = Annotator.objects.filter(pk=known).first() if known else None
    now = timezone.now()
    if annotator is None or not annotator.is_simulated:
        try:
            count_beginning(link=f"flow {flow.pk}", network=client_network(request), now=now)
        except OverLimitError as over:
            return too_many(request, over, "limit")
    if annotator is None:
        annotator = Annotator.objects.create()
    services.agree(flow=flow, annotator=annotator, now=now)
    return sign_in(request, here, flow.invitation, annotator)


def _page(request: HttpRequest, flow: Flow, state: str) -> HttpResponse:
    context = {"flow": flow, "state": state, "look_again": LOOK_AGAIN_SECONDS}
    return render(request, "flows/wait.html", context)
