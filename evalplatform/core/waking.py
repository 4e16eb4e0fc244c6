"""Waking workers from where it may fail, or be asked for again and again."""

import logging
from collections.abc import Callable

from django.core.cache import cache

from evalplatform.core.broker_faults import BROKER_ERRORS, said_of_broker

logger = logging.getLogger(__name__)
_SECONDS = 60


def wake_or_wait(send: Callable[[int], None], count: int) -> None:
    """Wake workers from within one: its own work is done, whatever the broker does.

    Without a message idle workers find what waits by themselves, at their next sign of life.
    """
    try:
        send(count)
    except BROKER_ERRORS as error:
        logger.warning("no other worker was woken: %s", said_of_broker(error))


def may_wake(task: str, key: object, seconds: int = _SECONDS) -> bool:
    """Whether nobody has asked within these `seconds`, on any machine; whoever asks now has.

    Messages that no worker takes would else pile up for as long as a page stays open.
    """
    return cache.add(f"woken:{task}:{key}", True, seconds)
