"""Forgetting where annotators began, and how often somebody tried, once it serves nothing."""

from datetime import datetime

from evalplatform.annotation.doors.places import old_places
from evalplatform.annotation.doors.rate_limits import ended_counts


def forget_places(*, now: datetime) -> int:
    """Remove places older than PLACES_KEPT_DAYS and counts of ended periods.

    Returns how many enrolments had their place removed. It can be run at any time and as often as
    one likes.
    """
    ended_counts(now).delete()
    return old_places(now).update(address_hash="", browser_hash="")
