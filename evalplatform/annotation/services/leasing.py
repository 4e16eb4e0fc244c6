"""Giving an annotator pairs to judge."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.services.checks import draw_check, lease_qualification
from evalplatform.annotation.services.locking import lock
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.rules import SamePair

# One statement finds and takes the slot: the first of three places that has one.
#   1. what came back (skipped, undone for good, vote excluded) behind this annotator's cursor;
#   2. a lease of somebody else that ran out, behind the cursor;
#   3. the first free slot beyond the cursor;
#   4. a lease that ran out, anywhere;
#   5. one of the campaign's first 2,000 free slots.
# COALESCE evaluates one place after the other, each an index range. Everybody walks the
# comparisons in the same order, so what is found first is nearest to completion. A slot that this
# annotator passed over was taken at that time, so behind the cursor only 1 and 2 can be free, and
# none of it is read again. The exception is a slot whose taker was killed between taking it and
# the commit: 5 finds it, at a bounded cost, once the rest is gone.
# Locked rows are being taken by somebody else and are skipped: annotators never wait for one
# another. The unique constraints stand behind all this.
_LEASE = """
UPDATE annotation_assignment
SET annotator_id = %(annotator)s, leased_at = %(now)s, lease_expires_at = %(expires)s
WHERE id = COALESCE(
    ({slot} AND slot.annotator_id IS NULL AND slot.released_at IS NOT NULL
        AND slot.serve_order <= %(cursor)s {by_order}),
    ({slot} AND {expired} AND slot.serve_order <= %(cursor)s {by_expiry}),
    ({slot} AND slot.annotator_id IS NULL AND slot.serve_order > %(cursor)s {by_order}),
    ({slot} AND {expired} {by_expiry}),
    ({slot} AND slot.annotator_id IS NULL AND slot.id IN (
        SELECT id FROM annotation_assignment
        WHERE campaign_id = %(campaign)s AND annotator_id IS NULL
        ORDER BY serve_order, slot LIMIT 2000
    ) {by_order})
)
RETURNING id, serve_order
"""
_SLOT = """
SELECT slot.id FROM annotation_assignment slot
{join}
WHERE slot.campaign_id = %(campaign)s
  AND NOT EXISTS (
      SELECT 1 FROM annotation_assignment mine
      WHERE mine.comparison_id = slot.comparison_id AND mine.annotator_id = %(annotator)s
  )
  AND NOT EXISTS (
      SELECT 1 FROM annotation_release mine
      WHERE mine.comparison_id = slot.comparison_id AND mine.annotator_id = %(annotator)s
  )
  {same_pair}"""
_EXPIRED = (
    "slot.annotator_id IS NOT NULL AND slot.completed_at IS NULL AND slot.purpose = 'main'"
    " AND slot.lease_expires_at < %(now)s"
)
_BY_ORDER = "ORDER BY slot.serve_order, slot.slot LIMIT 1 FOR UPDATE OF slot SKIP LOCKED"
_BY_EXPIRY = "ORDER BY slot.lease_expires_at LIMIT 1 FOR UPDATE OF slot SKIP LOCKED"

# The same two images under another criterion, where this annotator has met them already.
_JOIN_PAIR = """
JOIN campaigns_comparison here ON here.id = slot.comparison_id
JOIN campaigns_criterion asked ON asked.id = here.criterion_id
"""
_MET_ELSEWHERE = """
AND NOT EXISTS (
    SELECT 1 FROM campaigns_comparison there
    JOIN campaigns_criterion met ON met.id = there.criterion_id
    JOIN {table} mine ON mine.comparison_id = there.id
    WHERE there.sample_a_id = here.sample_a_id AND there.sample_b_id = here.sample_b_id
      AND there.campaign_id = here.campaign_id AND mine.annotator_id = %(annotator)s
      AND met.position {which} asked.position
)"""


def _lease_statement(same_pair: SamePair) -> str:
    which = {SamePair.CRITERIA_IN_ORDER: ">", SamePair.ONE_CRITERION: "<>"}.get(same_pair)
    met = [
        _MET_ELSEWHERE.format(which=which, table=table)
        for table in ("annotation_assignment", "annotation_release")
    ]
    slot = _SLOT.format(join=_JOIN_PAIR if which else "", same_pair="".join(met) if which else "")
    return _LEASE.format(slot=slot, expired=_EXPIRED, by_order=_BY_ORDER, by_expiry=_BY_EXPIRY)


_STATEMENTS = {rule: _lease_statement(rule) for rule in SamePair}


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
    return _in_order(held)


def _allowed(enrolment: Enrolment, want: int) -> int:
    cap = enrolment.campaign.checked_rules.annotation.session_cap
    return want if cap is None else min(want, cap - enrolment.judged)


def _renew(enrolment: Enrolment, now: datetime, expires: datetime) -> list[int]:
    """Extend the leases this annotator still holds and return them.

    A lease is written again only in its second half: asking for the state is then mostly reading.
    """
    held = (
        Assignment.objects.held_by(enrolment.annotator_id)
        .pending()
        .filter(campaign=enrolment.campaign_id)
    )
    rows = list(held.values_list("pk", "lease_expires_at"))
    half = now + (expires - now) / 2
    if all(until and until >= half for _, until in rows):
        return [identifier for identifier, _ in rows]
    # Whoever took one of them meanwhile has changed `annotator`: the update passes over it.
    held.filter(pk__in=[identifier for identifier, _ in rows]).update(lease_expires_at=expires)
    return list(held.values_list("pk", flat=True))


def _take(enrolment: Enrolment, now: datetime, expires: datetime) -> list[int]:
    """Lease the next pair; with it, where the rules and the draw say so, a check."""
    quality = enrolment.campaign.checked_rules.quality
    if quality.qualification_pairs and enrolment.qualified_at is None:
        return lease_qualification(enrolment=enrolment, now=now, expires=expires)
    row = _lease(enrolment, now, expires)
    if row is None:
        return []
    identifier, serve_order = row
    if serve_order > enrolment.cursor:
        enrolment.cursor = serve_order
        enrolment.criterion_id = (
            Assignment.objects.filter(pk=identifier)
            .values_list("comparison__criterion", flat=True)
            .get()
        )
    enrolment.served += 1
    enrolment.save(update_fields=["cursor", "criterion", "served"])
    check = draw_check(enrolment=enrolment, now=now, expires=expires)
    return [identifier] if check is None else [identifier, check]


def _lease(enrolment: Enrolment, now: datetime, expires: datetime) -> tuple[int, int] | None:
    rule = enrolment.campaign.checked_rules.annotation.same_pair
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENTS[rule],
            {
                "annotator": enrolment.annotator_id,
                "campaign": enrolment.campaign_id,
                "cursor": enrolment.cursor,
                "now": now,
                "expires": expires,
            },
        )
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def _in_order(identifiers: list[int]) -> list[Assignment]:
    """Return the assignments with what a page needs of them, first leased first."""
    return list(
        Assignment.objects.filter(pk__in=identifiers)
        .select_related("comparison__criterion", "comparison__prompt", "gold__criterion")
        .order_by("leased_at", "pk")
    )
