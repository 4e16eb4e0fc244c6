"""Giving an annotator pairs to judge."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from evalplatform.annotation import statements
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services.checks import draw_check, lease_qualification
from evalplatform.annotation.services.locking import lock
from evalplatform.campaigns.models import Campaign

# One statement finds a slot, takes it and moves the enrolment on; where it looks, in which order
# and why is written at the function (migration 0007).
_LEASE = """
SELECT assignment_id, new_cursor, new_criterion_id, new_served
FROM annotation_lease(%s::bigint, %s, %s, %s)
"""


def hold_pairs(*, enrolment: Enrolment, want: int, now: datetime) -> list[Assignment]:
    """Return up to `want` pairs this annotator holds, in the order to judge them.

    What they hold already comes first, so a reload resumes at the same pair; its lease is
    renewed. The enrolment is locked, so two tabs of one annotator take turns, and is as fresh as
    the pairs afterwards. Returns nothing while the campaign takes no answers, for who is no
    longer active, and beyond the session cap.
    """
    with transaction.atomic():
        lock(enrolment)
        campaign = enrolment.campaign
        if campaign.status != Campaign.Status.OPEN or enrolment.status != Enrolment.Status.ACTIVE:
            return []
        expires = now + timedelta(seconds=campaign.lease_seconds)
        held = _renew(enrolment, now, expires)
        while len(held) < _allowed(enrolment, want):
            taken = _take(enrolment, now, expires)
            if not taken:
                break
            held += taken
    return statements.pairs_to_show(held)


def _allowed(enrolment: Enrolment, want: int) -> int:
    cap = enrolment.campaign.checked_rules.annotation.session_cap
    return want if cap is None else min(want, cap - enrolment.judged)


def _renew(enrolment: Enrolment, now: datetime, expires: datetime) -> list[int]:
    """Extend the leases this annotator still holds and return them.

    A lease is written again only in its second half: asking for the state is then mostly reading.
    """
    rows = statements.held_leases(enrolment)
    half = now + (expires - now) / 2
    if all(until >= half for _, until in rows):
        return [identifier for identifier, _ in rows]
    # Whoever took one of them meanwhile has changed `annotator`: the update passes over it.
    held = Assignment.objects.held_by(enrolment.annotator_id).pending()
    held.filter(pk__in=[identifier for identifier, _ in rows]).update(lease_expires_at=expires)
    return [identifier for identifier, _ in statements.held_leases(enrolment)]


def _take(enrolment: Enrolment, now: datetime, expires: datetime) -> list[int]:
    """Lease the next pair; with it, where the rules and the draw say so, a check."""
    quality = enrolment.campaign.checked_rules.quality
    if quality.qualification_pairs and enrolment.qualified_at is None:
        return lease_qualification(enrolment=enrolment, now=now, expires=expires)
    identifier = _lease(enrolment, now, expires)
    if identifier is None:
        return []
    check = draw_check(enrolment=enrolment, now=now, expires=expires)
    return [identifier] if check is None else [identifier, check]


def _lease(enrolment: Enrolment, now: datetime, expires: datetime) -> int | None:
    rule = enrolment.campaign.checked_rules.annotation.same_pair.value
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, [enrolment.pk, rule, now, expires])
        row = cursor.fetchone()
    if row is None:
        return None
    identifier, enrolment.cursor, enrolment.criterion_id, enrolment.served = row
    return int(identifier)
