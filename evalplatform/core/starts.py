"""How often work is begun whose worker may be killed: again after a kill, until it is to blame.

What is begun is a row with `starts`. Its worker has a turn at it (`core.locks.session_turn`) for as
long as it lives, so work that runs and whose turn nobody has was begun by one that was killed.
"""

from typing import Any

from django.db.models import F, QuerySet

MOST_STARTS = 3


def begin_once_more(waiting: QuerySet[Any], **changes: Any) -> bool:
    """Count a start and store `changes`; False where there is no such row, or its starts are used.

    A message may come back to the next worker each time it kills one.
    """
    able = waiting.filter(starts__lt=MOST_STARTS)
    return bool(able.update(starts=F("starts") + 1, **changes))


def why_given_up(doing: str) -> str:
    """Return the sentence that says why work is not begun again."""
    return (
        f"Its worker was killed or lost {MOST_STARTS} times while {doing}, most often because "
        "memory ran out."
    )
