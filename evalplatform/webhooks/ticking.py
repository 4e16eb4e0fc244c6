"""Workers send what is due: a thread in each that takes the default queue looks now and then."""

from django.utils import timezone

from evalplatform.core.beside_workers import look_beside_workers
from evalplatform.webhooks.services import deliver_due, forget_old, tell_completed

SECONDS_BETWEEN = 5.0


def tick() -> None:
    """Queue what came to be by itself, and send what is due."""
    now = timezone.now()
    tell_completed()
    deliver_due(now=timezone.now)
    forget_old(now=now)


look_beside_workers(
    "webhooks",
    tick,
    seconds=SECONDS_BETWEEN,
    failed="webhooks could not be sent",
    patience=SECONDS_BETWEEN,
)
