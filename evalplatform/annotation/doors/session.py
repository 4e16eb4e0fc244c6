"""How somebody came to a campaign, remembered in their session until they agree to take part."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest

from evalplatform.annotation.doors.arrivals import Arrival
from evalplatform.campaigns.models import Campaign

_KEY = "came"


@dataclass(frozen=True)
class Coming:
    """From a crowd platform or by an invitation; neither for whoever has the link alone.

    `began_as` is the annotator as whom this browser has begun meanwhile: a form that is sent twice
    begins once.
    """

    arrival: Arrival | None = None
    invitation_id: int | None = None
    began_as: int | None = None


def remember(request: HttpRequest, campaign: Campaign, coming: Coming) -> None:
    """Keep how somebody came to the campaign, instead of how they came before."""
    kept = {campaign.invitation: asdict(coming)}
    request.session[_KEY] = request.session.get(_KEY, {}) | kept


def recall(request: HttpRequest, campaign: Campaign) -> Coming:
    """Return how whoever asks came to the campaign."""
    kept: dict[str, Any] = request.session.get(_KEY, {}).get(campaign.invitation, {})
    arrival = kept.get("arrival")
    return Coming(**kept | {"arrival": Arrival(**arrival) if arrival else None})


def is_coming(content: Mapping[str, Any], external_id: str) -> bool:
    """Whether a session's content remembers that this id of a platform came to some campaign."""
    arrivals = [kept.get("arrival") or {} for kept in content.get(_KEY, {}).values()]
    return any(arrival.get("external_id") == external_id for arrival in arrivals)
