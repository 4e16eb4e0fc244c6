"""Results computed once, and kept in the database until something that they hang on changes.

Exports, commands and small campaigns have the exact results of this moment (`results_of`). A page
of a campaign with many votes never waits (`standing_of`): it shows the last results, says of when
they are, and asks for newer ones in the background (`reports.computing`).
"""

import hmac
import logging
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from evalplatform.campaigns.models import Campaign
from evalplatform.core.garbage import cycles_left_alone
from evalplatform.core.snapshots import snapshot
from evalplatform.reports.fingerprint import code_hash, fingerprint
from evalplatform.reports.models import KeptResults
from evalplatform.reports.result_types import CampaignResults
from evalplatform.reports.results import campaign_results

logger = logging.getLogger(__name__)

_BEFORE_VOTES = (Campaign.Status.DRAFT, Campaign.Status.GENERATING)
# Computing takes part of the machine's time while votes pour in: this many times as long as it
# takes, nothing is computed again; but at least so long.
_REST_TIMES = 4
_LEAST_REST = timedelta(seconds=10)


@dataclass(frozen=True)
class LastResults:
    """The last results there are, and whether they are those of this moment.

    `results` is None where none were computed yet.
    """

    campaign: Campaign
    results: CampaignResults | None
    mark: str  # of these results; pages tell by it that there are newer ones
    is_current: bool
    trouble: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing of them changes any more unless somebody steers the campaign."""
        return self.is_current and self.campaign.status == Campaign.Status.CLOSED


def results_of(campaign: Campaign) -> CampaignResults:
    """Return the campaign's results as they stand, computed only where none are kept.

    The fingerprint is taken in the same view of the database as what is computed. One computes at
    a time; others wait and take what it found. What a caller holds of the campaign may be old.
    """
    if campaign.status in _BEFORE_VOTES:
        return campaign_results(campaign)  # no votes: nothing to save, and samples still come
    kept = _kept(campaign, fingerprint(campaign))
    if kept:
        return kept
    with _turn(campaign, wait=True):
        return _kept(campaign, fingerprint(campaign)) or _compute(campaign)


def compute_if_changed(campaign: Campaign) -> bool:
    """Compute and keep the results unless they are kept or somebody does; return whether it did.

    What fails is kept in words for the page, and raised.
    """
    with _turn(campaign, wait=False) as is_mine:
        if not is_mine:
            return False
        row, _ = KeptResults.objects.update_or_create(
            campaign=campaign, defaults={"asked_at": None, "begun_at": timezone.now()}
        )
        if row.mark == fingerprint(campaign):
            return False
        try:
            _compute(campaign)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            KeptResults.objects.filter(campaign=campaign).update(trouble=trouble[:500])
            raise
    return True


def last_results(campaign: Campaign) -> LastResults:
    """Return what is kept, at once; it is never computed here."""
    row = KeptResults.objects.filter(campaign=campaign).first()
    if row is None:
        return LastResults(campaign, None, "", is_current=False)
    is_current = row.mark == fingerprint(campaign)
    found = _read(row)
    mark = row.mark if found else ""
    return LastResults(campaign, found, mark, is_current and found is not None, row.trouble)


def is_rested(row: KeptResults | None, now: datetime) -> bool:
    """Whether it is time to compute again, after what computing took the last time."""
    if row is None or row.begun_at is None:
        return True
    rest = max(_LEAST_REST, _REST_TIMES * timedelta(seconds=row.seconds or 0))
    return now - max(row.begun_at, row.made_at or row.begun_at) >= rest


def _compute(campaign: Campaign) -> CampaignResults:
    begun = time.monotonic()
    with snapshot(), cycles_left_alone():
        mark = fingerprint(campaign)
        results = campaign_results(Campaign.objects.get(pk=campaign.pk))
    _keep(campaign, mark, results, time.monotonic() - begun)
    return results


@contextmanager
def _turn(campaign: Campaign, *, wait: bool) -> Iterator[bool]:
    """One computes a campaign's results at a time; yields whether it is us.

    A lock of the database session: it ends with the process, however that ends.
    """
    name = f"results of {campaign.pk}"
    take = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {take}(hashtextextended(%s, 0))", [name])
        is_mine = wait or bool(cursor.fetchone()[0])
    try:
        yield is_mine
    finally:
        if is_mine and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


# Results are pickled beside the hash of the code that did so and signed with the site's secret:
# those of other code, and what anybody else wrote there, are never unpickled.


def _keep(campaign: Campaign, mark: str, results: CampaignResults, seconds: float) -> None:
    content = pickle.dumps(results)
    KeptResults.objects.update_or_create(
        campaign=campaign,
        defaults={
            "mark": mark,
            "code": code_hash(),
            "content": _signature(content) + content,
            "made_at": results.made_at,
            "seconds": seconds,
            "asked_at": None,
            "trouble": "",
        },
    )


def _kept(campaign: Campaign, mark: str) -> CampaignResults | None:
    row = KeptResults.objects.filter(campaign=campaign, mark=mark).first()
    return _read(row) if row else None


def _read(row: KeptResults) -> CampaignResults | None:
    if row.content is None or row.code != code_hash():
        return None
    stored = bytes(row.content)
    length = len(_signature(b""))
    signature, content = stored[:length], stored[length:]
    if not hmac.compare_digest(signature, _signature(content)):
        logger.warning("the kept results of campaign %s are not ours", row.campaign_id)
        return None
    found: CampaignResults = pickle.loads(content)
    return found


def _signature(content: bytes) -> bytes:
    return salted_hmac("evalplatform.reports.cached", content, algorithm="sha256").digest()
