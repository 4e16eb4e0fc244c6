"""Looking through stored sessions, which hold what a visitor said before it was kept elsewhere."""

from collections.abc import Callable
from typing import Any

from django.contrib.sessions.models import Session
from django.utils import timezone

_AT_ONCE = 500


def delete_sessions(*, holds: Callable[[dict[str, Any]], bool]) -> int:
    """Delete the sessions whose content a test says yes to; return how many."""
    found = [
        each.pk
        for each in Session.objects.iterator(chunk_size=_AT_ONCE)
        if holds(each.get_decoded())
    ]
    return Session.objects.filter(pk__in=found).delete()[0]


def delete_ended_sessions() -> int:
    """Delete the sessions whose time is over; return how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
