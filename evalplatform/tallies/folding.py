"""Counting what voters' transactions noted, before counts are read."""

import logging
from collections.abc import Iterable
from contextlib import nullcontext

from django.db import DatabaseError, connection, transaction

logger = logging.getLogger(__name__)

# To be selected once beside what folds. A reader does not wait for the disk: where a crash undoes
# a fold, its lines are noted still. A caller's transaction may hold more, and is left as it is.
UNAWAITED = """set_config(
    'synchronous_commit',
    CASE WHEN %(is_alone)s THEN 'off' ELSE current_setting('synchronous_commit') END, true
)"""
_FOLD = f"""
SELECT coalesce(sum(tallies_fold(campaign_id)), 0), {UNAWAITED} FROM (
    SELECT DISTINCT campaign_id FROM tallies_pending WHERE campaign_id = ANY(%(campaigns)s)
    ORDER BY campaign_id
) AS noted
"""
_NOTED_OF = """
SELECT DISTINCT campaign_id FROM tallies_pending WHERE campaign_id = ANY(%(campaigns)s)
ORDER BY campaign_id
"""
_NOTED = "SELECT DISTINCT campaign_id FROM tallies_pending ORDER BY campaign_id"


def fold(campaigns: Iterable[int]) -> int:
    """Count what was noted of these campaigns, by id; return how many changes that were.

    Afterwards tallies and activity are exact as of all that had committed before. Where no vote
    came it is one small read. In a transaction that sees one moment only, or may not write, it
    does nothing: such a one is begun after folding. Other readers of these campaigns wait for the
    end of the caller's transaction, if there is one: take no other locks after it there.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, {"campaigns": list(campaigns), "is_alone": is_alone()})
        changes, _ = cursor.fetchone()
    return int(changes)


def is_alone() -> bool:
    """Return whether the next statement is a transaction of its own."""
    return not connection.in_atomic_block


def fold_all(failing: set[int]) -> int:
    """Count what was noted of any campaign, one after another; return how many changes.

    A campaign that cannot be counted keeps no other from it. It is logged and put among those that
    are `failing`, by id, unless it is one of them; the next call tries again, and takes out which
    it can count. Raises `DatabaseError` where the database is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTED)
        noted = [campaign for (campaign,) in cursor.fetchall()]
    failing.intersection_update(noted)
    return sum(_fold_or_log(campaign, failing) for campaign in noted)


def fold_each(campaigns: Iterable[int], failing: set[int]) -> int:
    """Count what was noted of these campaigns as `fold_all` does of any: one keeps no other.

    One that cannot be counted keeps the numbers of when it last was. Where no vote came it is one
    small read. Of those that are `failing` it leaves other campaigns than these as they are.
    """
    asked = list(campaigns)
    with connection.cursor() as cursor:
        cursor.execute(_NOTED_OF, {"campaigns": asked})
        noted = [campaign for (campaign,) in cursor.fetchall()]
    failing.difference_update(set(asked) - set(noted))
    return sum(_fold_or_log(campaign, failing) for campaign in noted)


def _fold_or_log(campaign: int, failing: set[int]) -> int:
    # One that fails takes nothing of the caller's transaction with it, where there is one.
    inside = nullcontext() if is_alone() else transaction.atomic()
    try:
        with inside:
            changes = fold([campaign])
    except DatabaseError:
        if not connection.is_usable():
            raise
        if campaign not in failing:
            logger.exception("votes of campaign %s could not be counted", campaign)
        failing.add(campaign)
        return 0
    failing.discard(campaign)
    return changes
