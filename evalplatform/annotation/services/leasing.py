"""Giving an annotator items to judge."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection, transaction

from evalplatform.annotation import statements
from evalplatform.annotation.comprehension import is_asked
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.selectors import annotator_progress
from evalplatform.annotation.services.checks import lease_qualification
from evalplatform.annotation.services.locking import lock_with_leases
from evalplatform.annotation.statements import Lease
from evalplatform.annotation.turns import Turn, first_repeat, most_held, turn_at, walk_of
from evalplatform.campaigns.models import Campaign

# One statement finds a slot or makes a check, takes it and moves the enrolment on; where it looks,
# in which order and why is written at the functions (sql/lease.sql).
_LEASE = "SELECT * FROM annotation_lease(%s::bigint, %s, %s, %s, %s, %s, %s)"
_LEASE_CHECK = (
    "SELECT * FROM annotation_lease_check(%s::bigint, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
# Items leased together keep the order in which they were taken.
_A_TICK = timedelta(microseconds=1)


def lease_items(*, enrolment: Enrolment, want: int, now: datetime) -> list[Assignment]:
    """Return the first `want` items this annotator holds, in the order to judge them.

    What they hold already comes first, so a reload resumes at the same item; its lease is
    renewed. The enrolment is locked, so two tabs of one annotator take turns, and is as fresh as
    they are afterwards, its `total` too. Returns nothing while the campaign takes no answers, for
    who is no longer active or has not passed the questions, and beyond the session cap; fewer than
    `want` when little is left.
    """
    with transaction.atomic():
        leases = lock_with_leases(enrolment, now)
        held = lease_more(enrolment=enrolment, want=want, now=now, leases=leases)
    return statements.assignments_to_show(held)[:want]


def lease_more(
    *, enrolment: Enrolment, want: int, now: datetime, leases: list[Lease] | None = None
) -> list[int]:
    """Do what `lease_items` says to an enrolment that is locked; return the assignments' ids.

    `leases`: what its annotator holds; None where that was not read yet.
    """
    campaign = enrolment.campaign
    if campaign.status != Campaign.Status.OPEN or enrolment.status != Enrolment.Status.ACTIVE:
        return []
    if is_asked(enrolment):
        return []
    expires = now + timedelta(seconds=campaign.lease_seconds)
    if leases is None:
        leases = statements.held_leases(enrolment, now)
    held = _renew(enrolment, leases, now, expires)
    while len(held) < _most_held(enrolment, want):
        taken = _take(enrolment, now + len(held) * _A_TICK, expires)
        if taken is None:
            break
        held.append(taken)
    _keep_total(enrolment, len(held))
    return held


def _most_held(enrolment: Enrolment, want: int) -> int:
    campaign = enrolment.campaign
    rules = campaign.checked_rules.annotation
    most = min(want, most_held(campaign.item_count - enrolment.cursor - 1, rules.grid))
    cap = rules.session_cap
    return most if cap is None else min(most, cap - enrolment.judged)


def _renew(
    enrolment: Enrolment, leases: list[Lease], now: datetime, expires: datetime
) -> list[int]:
    """Extend the leases this annotator still holds and return their assignments.

    A lease is written again only in its second half: asking for the state is then mostly reading.
    """
    half = now + (expires - now) / 2
    if all(until >= half for _, until in leases):
        return [identifier for identifier, _ in leases]
    # Whoever took one of them meanwhile has changed `annotator`: the update passes over it.
    held = Assignment.objects.held_by(enrolment.annotator_id).pending()
    held.filter(pk__in=[identifier for identifier, _ in leases]).update(lease_expires_at=expires)
    return [identifier for identifier, _ in statements.held_leases(enrolment, now)]


def _take(enrolment: Enrolment, now: datetime, expires: datetime) -> int | None:
    """Lease what the next turn is planned to be: an item, or a check in its place."""
    quality = enrolment.campaign.checked_rules.quality
    if quality.qualification_pairs and enrolment.qualified_at is None:
        return lease_qualification(enrolment=enrolment, now=now, expires=expires)
    rule = enrolment.campaign.checked_rules.annotation.same_pair.value
    for number in count(enrolment.turn):
        given = [enrolment.pk, number, rule, now, expires, *walk_of(enrolment)]
        turn = turn_at(enrolment, number)
        if turn is Turn.ITEM:
            return _call(enrolment, _LEASE, given)
        kind = [turn.name.lower(), quality.repeat_gap, first_repeat(enrolment)]
        check = _call(enrolment, _LEASE_CHECK, given + kind)
        if check is not None:
            return check
    raise AssertionError("every plan has items")


def _call(enrolment: Enrolment, statement: str, given: list[Any]) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        row = cursor.fetchone()
    if row is None:
        return None
    (
        identifier, enrolment.turn, enrolment.served, enrolment.cursor, enrolment.criterion_id,
        enrolment.taken_here, enrolment.gold_here,
    ) = row  # fmt: skip
    return None if identifier is None else int(identifier)


def _keep_total(enrolment: Enrolment, held: int) -> None:
    """Remember the total that the page shows, so that it never rises.

    An item that comes back from others would raise it, and tell itself from a check.
    """
    progress = annotator_progress(enrolment, held=held)
    if progress.total != enrolment.total:
        enrolment.total = progress.total
        enrolment.save(update_fields=["total"])
