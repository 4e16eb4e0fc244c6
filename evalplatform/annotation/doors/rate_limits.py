"""How often something may be tried: counted in the database, for all processes of the site alike.

What is counted is kept under a keyed hash: no address is stored. A period begins with the first try
and ends by itself; rows of ended periods are removed by `forget_places`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from evalplatform.annotation.models import RateCount
from evalplatform.campaigns.models import Campaign

# One statement, so that no two tries are counted as one; in the order of keys, so that two
# requests cannot each wait for the other.
_COUNT = """
INSERT INTO annotation_ratecount AS known (key, began_at, count)
SELECT key, %(now)s, 1 FROM unnest(%(keys)s::text[]) key ORDER BY key
ON CONFLICT (key) DO UPDATE SET
    began_at = CASE WHEN known.began_at > %(ended)s THEN known.began_at ELSE %(now)s END,
    count = CASE WHEN known.began_at > %(ended)s THEN known.count + 1 ELSE 1 END
RETURNING key, began_at, count
"""


class OverLimitError(Exception):
    """It was tried too often; it may be tried again after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"tried too often; again in {retry_after} s")
        self.retry_after = retry_after


def count_enrolment(*, campaign: Campaign, network: str, now: datetime) -> None:
    """Count that somebody begins by a campaign's link. Raises `OverLimitError`."""
    count_beginning(link=f"{campaign.pk}", network=network, now=now)


def count_beginning(*, link: str, network: str, now: datetime) -> None:
    """Count that somebody begins by a link, whatever it leads to. Raises `OverLimitError`."""
    link = f"enrolment {link}"
    limits = {
        link: settings.ENROLMENTS_PER_LINK,
        f"{link} {network}": settings.ENROLMENTS_PER_ADDRESS,
    }
    _count(limits, now)


def count_wrong_link(*, network: str, now: datetime) -> None:
    """Count a link, invitation or key that does not exist. Raises `OverLimitError`.

    Only wrong ones are counted: nobody is kept from what is theirs because somebody else behind
    the same address guesses, and a secret of 96 bits or more is not guessed at any rate.
    """
    _count({f"wrong link {network}": settings.WRONG_LINKS_PER_ADDRESS}, now)


def ended_counts(now: datetime) -> "QuerySet[RateCount]":
    """Return the counts that no longer limit anything."""
    return RateCount.objects.filter(began_at__lte=now - _period())


def _period() -> timedelta:
    return timedelta(seconds=settings.RATE_PERIOD_SECONDS)


def _count(limits: Mapping[str, int], now: datetime) -> None:
    """Count a try of each; a limit of 0 is none."""
    allowed = {_key(what): limit for what, limit in limits.items() if limit}
    if not allowed:
        return
    period = _period()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"now": now, "ended": now - period, "keys": list(allowed)})
        rows = cursor.fetchall()
    waits = [began_at + period - now for key, began_at, count in rows if count > allowed[key]]
    if waits:
        raise OverLimitError(retry_after=max(1, round(max(waits).total_seconds())))


def _key(what: str) -> str:
    return salted_hmac("annotation.limits", what, algorithm="sha256").hexdigest()
