"""Where annotators began: keyed hashes that tell alike from unlike, for a while, and nothing else.

The key holds the site's secret and the campaign, so that nobody without the secret can try out
addresses, and places of two campaigns cannot be put together.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.models import Campaign
from evalplatform.core.addresses import client_network


@dataclass(frozen=True)
class Footprint:
    """Keyed hashes of an address and of a browser's name; empty where unknown."""

    address_hash: str = ""
    browser_hash: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


NOWHERE = Footprint()


@dataclass(frozen=True)
class SharedPlace:
    """Annotators of a campaign who began at one address."""

    pseudonyms: tuple[str, ...]
    same_browser: int  # the most of them whose browsers call themselves alike


def footprint_of(request: HttpRequest, campaign: Campaign) -> Footprint:
    """Return where a request comes from; nothing where places are not kept."""
    if not settings.PLACES_KEPT_DAYS:
        return NOWHERE
    return Footprint(
        address_hash=_hash(campaign, "address", client_network(request)),
        browser_hash=_hash(campaign, "browser", request.headers.get("User-Agent", "")),
    )


def _hash(campaign: Campaign, kind: str, value: str) -> str:
    if not value:
        return ""
    key = f"annotation.places {kind} {campaign.invitation}"
    return salted_hmac(key, value, algorithm="sha256").hexdigest()


def shared_places(campaign: Campaign, now: datetime) -> list[SharedPlace]:
    """Return the places where more than one annotator began, most annotators first.

    It proves nothing: a classroom, a household and an office share an address. Simulated
    annotators are left out. Enrolments older
    than PLACES_KEPT_DAYS are left out, whether they were forgotten yet or not.
    """
    rows = campaign.enrolments.filter(
        consented_at__gt=_kept_since(now), annotator__is_simulated=False
    ).exclude(address_hash="")
    at: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for address, browser, pseudonym in rows.order_by("annotator__pseudonym").values_list(
        "address_hash", "browser_hash", "annotator__pseudonym"
    ):
        at[address].append((pseudonym, browser))
    shared = [_shared(people) for people in at.values() if len(people) > 1]
    return sorted(shared, key=lambda each: (-len(each.pseudonyms), each.pseudonyms))


def _shared(people: list[tuple[str, str]]) -> SharedPlace:
    browsers = [browser for _, browser in people if browser]
    return SharedPlace(
        pseudonyms=tuple(pseudonym for pseudonym, _ in people),
        same_browser=max(map(browsers.count, set(browsers)), default=0),
    )


def _kept_since(now: datetime) -> datetime:
    return now - timedelta(days=settings.PLACES_KEPT_DAYS)


def old_places(now: datetime) -> "QuerySet[Enrolment]":
    """Return the enrolments whose place is kept no longer."""
    return Enrolment.objects.filter(consented_at__lte=_kept_since(now)).exclude(
        Q(address_hash="") & Q(browser_hash="")
    )
