"""Waking a worker from pages that look again every few seconds."""

from django.core.cache import cache

_SECONDS = 60


def may_wake(task: str, key: object, seconds: int = _SECONDS) -> bool:
    """Whether nobody has asked within these `seconds`, on any machine; whoever asks now has.

    Messages that no worker takes would else pile up for as long as a page stays open.
    """
    return cache.add(f"woken:{task}:{key}", True, seconds)
