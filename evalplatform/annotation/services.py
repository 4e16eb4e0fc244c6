"""Opening a campaign to annotators, leasing its slots and recording votes."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction
from django.db.models import TextChoices

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import (
    Assignment,
    Choice,
    Enrolment,
    Outcome,
    SurplusVote,
    Vote,
)
from evalplatform.campaigns.models import Campaign, Comparison
from evalplatform.campaigns.services import create_comparisons, freeze_protocol
from evalplatform.core.errors import BadInputError, EvalPlatformError


class UnknownAssignmentError(EvalPlatformError):
    """The vote names no assignment this annotator could have been given."""


class Receipt(TextChoices):
    """The answer to every vote that reaches the server."""

    RECORDED = "recorded", "Recorded"
    REPEATED = "repeated", "Recorded before; sent again"
    SURPLUS = "surplus", "Kept, but came too late to count"


def open_campaign(*, campaign: Campaign) -> bool:
    """Freeze the protocol, make the comparisons and their k slots; False if it was open already.

    All or nothing: an interrupted opening leaves the campaign as it was.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.status not in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
            return False
        comparisons = create_comparisons(campaign=locked)
        _create_slots(locked, comparisons)
        freeze_protocol(campaign=locked)
    campaign.refresh_from_db()
    return True


def _create_slots(campaign: Campaign, comparisons: Sequence[Comparison]) -> None:
    rng = np.random.default_rng([campaign.seed, 1])  # not the stream that ordered comparisons
    slots: list[Assignment] = []
    for index, comparison in enumerate(comparisons):
        sides = plan_sides(k=comparison.criterion.k, index=index, rng=rng)
        for slot, a_on_left in enumerate(sides, start=1):
            slots.append(
                Assignment(
                    campaign=campaign,
                    comparison=comparison,
                    slot=slot,
                    a_on_left=a_on_left,
                    serve_order=len(slots),
                )
            )
    Assignment.objects.bulk_create(slots, batch_size=1000)


def plan_sides(*, k: int, index: int, rng: np.random.Generator) -> list[bool]:
    """Return for each of k slots whether A stands on the left.

    For odd k the surplus side alternates with the comparison's index (five slots: 2 left, then
    3), so that over two comparisons both sides are used equally; slots are in random order.
    """
    on_left = k // 2 + (k % 2) * (index % 2)
    sides = np.arange(k) < on_left
    return [bool(side) for side in rng.permutation(sides)]


def enrol(*, campaign: Campaign, annotator: Annotator) -> Enrolment:
    """Record that the annotator agreed to take part; enrolling twice changes nothing."""
    enrolment, _ = Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator)
    return enrolment


# One statement finds and takes the slot. Locked rows are being taken by somebody else and are
# skipped, so annotators never wait for one another; the unique constraints stand behind it.
_LEASE = """
UPDATE annotation_assignment
SET annotator_id = %(annotator)s, leased_at = %(now)s, lease_expires_at = %(expires)s
WHERE id = (
    SELECT slot.id FROM annotation_assignment slot
    WHERE slot.campaign_id = %(campaign)s
      AND slot.completed_at IS NULL
      AND (slot.annotator_id IS NULL OR slot.lease_expires_at < %(now)s)
      AND NOT EXISTS (
          SELECT 1 FROM annotation_assignment mine
          WHERE mine.comparison_id = slot.comparison_id AND mine.annotator_id = %(annotator)s
      )
    ORDER BY slot.serve_order
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


def lease_next_assignment(*, enrolment: Enrolment, now: datetime) -> Assignment | None:
    """Return the pair this annotator should judge now, or None when nothing is left for them.

    A pair they hold already comes first, so a reload resumes at the same pair; its lease is
    renewed. The enrolment's row lock makes two tabs of one annotator take turns.
    """
    with transaction.atomic():
        Enrolment.objects.select_for_update().get(pk=enrolment.pk)
        campaign = Campaign.objects.get(pk=enrolment.campaign_id)
        if campaign.status != Campaign.Status.OPEN:
            return None
        expires = now + timedelta(seconds=campaign.lease_seconds)
        held = (
            Assignment.objects.select_for_update()
            .held_by(enrolment.annotator)
            .pending()
            .filter(campaign=campaign)
            .order_by("serve_order")
            .first()
        )
        if held:
            held.leased_at, held.lease_expires_at = now, expires
            held.save(update_fields=["leased_at", "lease_expires_at"])
            identifier = held.pk
        else:
            taken = _take_free_slot(campaign, enrolment, now, expires)
            if taken is None:
                return None
            identifier = taken
    return Assignment.objects.select_related("comparison__criterion", "comparison__prompt").get(
        pk=identifier
    )


def _take_free_slot(
    campaign: Campaign, enrolment: Enrolment, now: datetime, expires: datetime
) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            _LEASE,
            {
                "annotator": enrolment.annotator_id,
                "campaign": campaign.pk,
                "now": now,
                "expires": expires,
            },
        )
        row = cursor.fetchone()
    return row[0] if row else None


@dataclass(frozen=True)
class Answer:
    """What an annotator sent."""

    public_id: uuid.UUID
    choice: str
    idempotency_key: uuid.UUID
    response_time_ms: int | None = None

    def __post_init__(self) -> None:
        if self.choice not in Choice.values:
            raise BadInputError(
                f"{self.choice!r} is not an answer; send one of {', '.join(Choice.values)}."
            )
        if self.response_time_ms is not None and not 0 <= self.response_time_ms < 2**31:
            raise BadInputError(
                f"response time {self.response_time_ms} ms is out of range; "
                "send milliseconds from 0, or nothing."
            )


def record_vote(*, annotator: Annotator, answer: Answer, now: datetime) -> Receipt:
    """Store the answer once and say what became of it; returns only after the commit.

    Sent again with the same key, it is acknowledged and not stored again. A late answer counts
    if nobody else was given the slot meanwhile; otherwise it is kept as surplus.

    Raises `UnknownAssignmentError` where the annotator never was in that campaign.
    """
    with transaction.atomic(durable=True):
        assignment = (
            Assignment.objects.select_for_update(of=["self"])
            .select_related("campaign")
            .filter(public_id=answer.public_id, campaign__enrolments__annotator=annotator)
            .first()
        )
        if assignment is None:
            raise UnknownAssignmentError("this pair is not known here; reload the page.")
        key = answer.idempotency_key
        if Vote.objects.filter(idempotency_key=key, annotator=annotator).exists():
            return Receipt.REPEATED
        if SurplusVote.objects.filter(idempotency_key=key, annotator=annotator).exists():
            return Receipt.SURPLUS
        reason = _why_surplus(assignment, annotator)
        if reason:
            _keep_surplus(assignment, annotator, answer, reason)
            return Receipt.SURPLUS
        _store_vote(assignment, annotator, answer, now)
        return Receipt.RECORDED


def _why_surplus(assignment: Assignment, annotator: Annotator) -> str | None:
    if assignment.annotator_id != annotator.pk:
        return SurplusVote.Reason.SLOT_REASSIGNED
    if assignment.completed_at is not None:
        return SurplusVote.Reason.ALREADY_ANSWERED
    if assignment.campaign.status != Campaign.Status.OPEN:
        return SurplusVote.Reason.CAMPAIGN_CLOSED
    return None


def _keep_surplus(
    assignment: Assignment, annotator: Annotator, answer: Answer, reason: str
) -> None:
    SurplusVote.objects.create(
        assignment=assignment,
        annotator=annotator,
        choice=answer.choice,
        response_time_ms=answer.response_time_ms,
        idempotency_key=answer.idempotency_key,
        reason=reason,
    )


def _store_vote(
    assignment: Assignment, annotator: Annotator, answer: Answer, now: datetime
) -> None:
    Vote.objects.create(
        assignment=assignment,
        annotator=annotator,
        choice=answer.choice,
        outcome=outcome_of(answer.choice, a_on_left=assignment.a_on_left),
        a_on_left=assignment.a_on_left,
        response_time_ms=answer.response_time_ms,
        idempotency_key=answer.idempotency_key,
        is_simulated=annotator.is_simulated,
    )
    assignment.completed_at = now
    assignment.save(update_fields=["completed_at"])


def outcome_of(choice: str, *, a_on_left: bool) -> Outcome:
    """Convert a side to an identity: the only place where left and right become A and B."""
    if choice == Choice.TIE:
        return Outcome.TIE
    return Outcome.A if (choice == Choice.LEFT) == a_on_left else Outcome.B
