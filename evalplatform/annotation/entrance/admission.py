"""How people come to a campaign and begin: each door lets in whom the rules say, and nobody else.

What is asked of the database for who works already is one statement, as without doors.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from evalplatform.accounts.models import Annotator, Membership
from evalplatform.accounts.projects import may
from evalplatform.annotation import selectors, services
from evalplatform.annotation.doors.arrivals import Arrival, arrival_of
from evalplatform.annotation.doors.invitations import InvitationState, invitation_by, state_of
from evalplatform.annotation.doors.personal_links import enrolment_by_key
from evalplatform.annotation.doors.places import footprint_of
from evalplatform.annotation.doors.rate_limits import (
    OverLimitError,
    count_enrolment,
    count_wrong_link,
)
from evalplatform.annotation.doors.session import Coming, recall, remember
from evalplatform.annotation.entrance.identity import annotator_id, sign_in, sign_in_here
from evalplatform.annotation.entrance.refusal_pages import (
    not_now,
    prove_yourself,
    refused,
    taken_here,
    too_many,
)
from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.requests import key_of
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import Door
from evalplatform.core.addresses import client_network

_PLATFORMS_COME = (Door.OPEN, Door.CROWD)


def enrolment_here(request: HttpRequest, campaign: Campaign) -> Enrolment | None:
    """Return the enrolment by which this browser works; None for a newcomer.

    Where members alone may, only whose member is signed in.
    """
    asking = annotator_id(request, campaign.invitation)
    enrolment = selectors.enrolment_of(asking, campaign.invitation)
    if enrolment is None or _door(campaign) is not Door.MEMBERS:
        return enrolment
    return selectors.enrolment_if_members(enrolment, request.user)


def come(request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
    """Let in who comes by a link of their own or from a platform; None for anybody else.

    Afterwards the address is clean: neither key, secret nor platform id stays in the address bar.
    Raises `BadInputError` for what no such link holds.
    """
    if key := request.GET.get("key"):
        return _come_by_key(request, campaign, key_of(key))
    if secret := request.GET.get("invite"):
        return _come_invited(request, campaign, key_of(secret))
    arrival = arrival_of(request.GET, campaign.checked_rules.crowd)
    return None if arrival is None else _come_from_platform(request, campaign, arrival)


def _come_by_key(request: HttpRequest, campaign: Campaign, key: str) -> HttpResponse:
    enrolment = enrolment_by_key(key)
    if enrolment is not None and enrolment.campaign_id == campaign.pk:
        arrival = recall(request, campaign).arrival
        if arrival and selectors.enrolment_of_arrival(campaign, arrival) == enrolment:
            services.record_visit(enrolment=enrolment, arrival=arrival)
        return sign_in_here(request, _home(campaign), campaign.invitation, enrolment.annotator_id)
    annotator = selectors.annotator_named(key)
    if annotator is None:
        return wrong_link(request)
    return sign_in(request, _home(campaign), campaign.invitation, annotator)


def _come_invited(request: HttpRequest, campaign: Campaign, secret: str) -> HttpResponse:
    invitation = invitation_by(campaign, secret)
    if invitation is None:
        return wrong_link(request)
    here = selectors.enrolment_of(annotator_id(request, campaign.invitation), campaign.invitation)
    used_by = selectors.enrolment_invited(invitation)
    if here and used_by == here:
        return _home(campaign)
    state = state_of(invitation, is_used=used_by is not None, now=timezone.now())
    if state is not InvitationState.UNUSED:
        return refused(request, campaign, state.value)
    page = not_now(request, campaign, None)
    if page is not None:
        return page
    if here and "other" not in request.GET:
        return taken_here(request, campaign, secret)
    remember(request, campaign, Coming(invitation_id=invitation.pk))
    return sign_in_here(request, _home(campaign), campaign.invitation, None)


def _come_from_platform(request: HttpRequest, campaign: Campaign, arrival: Arrival) -> HttpResponse:
    enrolment = selectors.enrolment_of_arrival(campaign, arrival)
    if enrolment is None:
        if _door(campaign) not in _PLATFORMS_COME:
            return refused(request, campaign, _door(campaign).value, arrival=arrival)
        page = not_now(request, campaign, arrival)
        if page is not None:
            return page
        remember(request, campaign, Coming(arrival=arrival))
        return sign_in_here(request, _home(campaign), campaign.invitation, None)
    here = annotator_id(request, campaign.invitation)
    if not arrival.is_proven and here != enrolment.annotator_id:
        remember(request, campaign, Coming(arrival=arrival))
        return prove_yourself(request, campaign)
    services.record_visit(enrolment=enrolment, arrival=arrival)
    return sign_in_here(request, _home(campaign), campaign.invitation, enrolment.annotator_id)


def why_not(request: HttpRequest, campaign: Campaign, coming: Coming) -> HttpResponse | None:
    """Return the page for a newcomer who cannot begin; None for one who can.

    Also the way to their work, for who has begun and came without their cookie.
    """
    if coming.began_as is not None:
        return sign_in_here(request, _home(campaign), campaign.invitation, coming.began_as)
    if _door(campaign) is Door.MEMBERS:
        own = selectors.enrolment_of_member(campaign, request.user)
        if own is not None:
            return sign_in_here(request, _home(campaign), campaign.invitation, own.annotator_id)
    page = not_now(request, campaign, coming.arrival)
    if page is not None:
        return page
    if reason := _turned_away(request, campaign, coming):
        return refused(request, campaign, reason)
    arrival = coming.arrival
    if arrival and not arrival.is_proven and selectors.enrolment_of_arrival(campaign, arrival):
        return prove_yourself(request, campaign)
    return None


def _turned_away(request: HttpRequest, campaign: Campaign, coming: Coming) -> str | None:
    """Return why a newcomer may not begin, for `refused`; None where the door is open to them.

    Simulated annotators come by any door.
    """
    door = _door(campaign)
    reason: str | None = door.value
    if (
        door is Door.OPEN
        or (door is Door.INVITATIONS and coming.invitation_id is not None)
        or (door is Door.CROWD and coming.arrival is not None)
    ):
        reason = None
    elif door is Door.MEMBERS and request.user.is_authenticated:
        is_member = may(request.user, campaign.project, Membership.Role.VIEWER)
        reason = None if is_member else "not_member"
    if reason and selectors.is_simulated(annotator_id(request, campaign.invitation)):
        return None
    return reason


def begin(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Consent given: make the annotator known and enrol them, if the door is open to them."""
    if enrolment_here(request, campaign) is not None:
        return _home(campaign)
    coming = recall(request, campaign)
    page = why_not(request, campaign, coming)
    if page is not None:
        return page
    try:
        return _enrol(request, campaign, coming)
    except OverLimitError as over:
        return too_many(request, over, "limit")
    except services.InvitationClosedError as closed:
        return refused(request, campaign, closed.state.value)
    except services.KnownElsewhereError:
        return _home(campaign)  # which asks for a proof, unless this browser sent the form twice


def _enrol(request: HttpRequest, campaign: Campaign, coming: Coming) -> HttpResponse:
    now, footprint = timezone.now(), footprint_of(request, campaign)
    if coming.invitation_id is not None:
        enrolment = services.enrol_invited(
            campaign=campaign, invitation_id=coming.invitation_id, now=now, footprint=footprint
        )
    elif coming.arrival is not None:
        if not coming.arrival.is_proven:
            count_enrolment(campaign=campaign, network=client_network(request), now=now)
        enrolment = services.enrol_arrival(
            campaign=campaign, arrival=coming.arrival, footprint=footprint
        )
    elif _door(campaign) is Door.MEMBERS and request.user.is_authenticated:
        enrolment = services.enrol_member(
            campaign=campaign, member=request.user, footprint=footprint
        )
    else:
        return _enrol_anybody(request, campaign)
    began = enrolment.annotator_id
    remember(request, campaign, Coming(began_as=began))
    return sign_in_here(request, _home(campaign), campaign.invitation, began)


def _enrol_anybody(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Enrol whom nothing but the link lets in, or a simulated annotator."""
    asking = annotator_id(request, campaign.invitation)
    annotator = Annotator.objects.filter(pk=asking).first() if asking else None
    if annotator is None or not annotator.is_simulated:
        network = client_network(request)
        count_enrolment(campaign=campaign, network=network, now=timezone.now())
    if annotator is None:
        annotator = Annotator.objects.create()
    services.enrol(
        campaign=campaign, annotator=annotator, footprint=footprint_of(request, campaign)
    )
    return sign_in(request, _home(campaign), campaign.invitation, annotator)


def wrong_link(request: HttpRequest) -> HttpResponse:
    """Count a link that does not exist; too many are 429, else `Http404` is raised."""
    try:
        count_wrong_link(network=client_network(request), now=timezone.now())
    except OverLimitError as over:
        return too_many(request, over, "wrong")
    raise Http404


def _door(campaign: Campaign) -> Door:
    return campaign.checked_rules.annotation.door


def _home(campaign: Campaign) -> HttpResponse:
    return redirect("annotation:work", invitation=campaign.invitation)
