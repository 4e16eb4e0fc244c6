"""Recording votes and taking the last one back.

Every service here locks the enrolment first and the assignment second, as leasing does.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import TextChoices

from evalplatform.annotation import statements
from evalplatform.annotation.models import Assignment, Enrolment, Release, SurplusVote, Vote
from evalplatform.annotation.services.checks import settle_qualification
from evalplatform.annotation.services.leasing import lease_more
from evalplatform.annotation.services.locking import lock, lock_with
from evalplatform.annotation.signals import vote_recorded
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

_QUOTED = 40  # characters of a wrong value that are repeated


class Receipt(TextChoices):
    """The answer to every request about an item that reaches the server."""

    RECORDED = "recorded", "Recorded"
    REPEATED = "repeated", "Done before; sent again"
    SURPLUS = "surplus", "Kept, but came too late to count"
    UNDONE = "undone", "Taken back"
    TOO_LATE = "too_late", "Cannot be taken back any more"
    SKIPPED = "skipped", "Skipped"


@dataclass(frozen=True)
class Answer:
    """What an annotator sent. Raises `BadInputError` for values out of range."""

    public_id: uuid.UUID
    answer: str
    idempotency_key: uuid.UUID
    response_time_ms: int | None = None
    viewport_width: int | None = None
    viewport_height: int | None = None
    pixel_ratio: float | None = None
    zoomed: bool | None = None
    marks: tuple[str, ...] = ()
    shown_px: int | None = None
    language: str = ""

    def __post_init__(self) -> None:
        if not self.answer:
            raise BadInputError("'' is not an answer; send one that the set offers.")
        for name in ("response_time_ms", "viewport_width", "viewport_height", "shown_px"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 2**31:
                raise BadInputError(f"{name} {value} is out of range; send 0 or more, or nothing.")
        if self.language and self.language not in dict(settings.LANGUAGES):
            spoken = ", ".join(dict(settings.LANGUAGES))
            raise BadInputError(
                f"language {self.language[:_QUOTED]!r} is not spoken here; send one of {spoken}, "
                "or nothing."
            )
        if self.pixel_ratio is not None and not 0 < self.pixel_ratio < 100:
            raise BadInputError(f"pixel_ratio {self.pixel_ratio} is out of range; accepted: 0–100.")


def record_vote(*, enrolment: Enrolment, answer: Answer, now: datetime) -> Receipt:
    """Store the answer once and say what became of it; returns only after the commit.

    Sent again with the same key, it is acknowledged and not stored again. A late answer counts
    while its slot is still free for this annotator; otherwise it is kept as surplus.

    Raises `UnknownAssignmentError` for what is not this campaign's, and
    `BadInputError` for an answer that the criterion's form does not offer.
    """
    with transaction.atomic(durable=True):
        receipt = _record(enrolment, answer, now)
    _tell(enrolment, receipt, now)
    return receipt


def record_vote_and_lease(
    *, enrolment: Enrolment, answer: Answer, want: int, now: datetime
) -> tuple[Receipt, list[Assignment] | None]:
    """Do what `record_vote` and then `lease_items` do, in one transaction.

    That is what a page waits for after each answer, and a quarter less for the server. Only an
    answer that is recorded brings items: any other may be on somebody else's slot, and whoever
    leases must not hold one of those; None then says that they are still to be leased. Where
    leasing fails, whatever the reason, the vote is stored alone before that is raised.
    """
    receipt, held = None, None
    try:
        with transaction.atomic(durable=True):
            receipt = _record(enrolment, answer, now)
            if receipt is Receipt.RECORDED:
                held = lease_more(enrolment=enrolment, want=want, now=now)
    except Exception:
        if receipt is not None:  # the answer was taken, and undone with what failed after it
            record_vote(enrolment=enrolment, answer=answer, now=now)
        raise
    _tell(enrolment, receipt, now)
    if held is None:
        return receipt, None
    if enrolment.status != Enrolment.Status.ACTIVE:  # excluded for what was just told
        return receipt, []
    return receipt, statements.assignments_to_show(held)[:want]


def _record(enrolment: Enrolment, answer: Answer, now: datetime) -> Receipt:
    assignment, voted = lock_with(enrolment, answer.public_id, answer.idempotency_key)
    _check_answer(assignment, answer.answer)
    _check_marks(assignment, answer.marks)
    known = _receipt_of_key(enrolment, assignment, answer.idempotency_key, voted)
    if known:
        return known
    reason = _why_surplus(enrolment, assignment)
    if reason:
        _keep_surplus(enrolment, assignment, answer, reason, now)
        return Receipt.SURPLUS
    _store_vote(enrolment, assignment, answer, now)
    if assignment.purpose == Assignment.Purpose.QUALIFICATION:
        settle_qualification(enrolment=enrolment, now=now)
    return Receipt.RECORDED


def _tell(enrolment: Enrolment, receipt: Receipt, now: datetime) -> None:
    if receipt is Receipt.RECORDED:
        vote_recorded.send(Vote, enrolment=enrolment, now=now)


def _receipt_of_key(
    enrolment: Enrolment, assignment: Assignment, key: uuid.UUID, voted: tuple[int, int] | None
) -> Receipt | None:
    """Return what became of this key before, or None where it is new.

    `voted`: (annotator, assignment) of the vote with this key, if there is one.
    """
    stored, receipt = voted, Receipt.REPEATED
    if stored is None and not _is_awaited(enrolment, assignment):  # else none can be surplus
        surplus = SurplusVote.objects.filter(idempotency_key=key)
        stored, receipt = surplus.values_list("annotator", "assignment").first(), Receipt.SURPLUS
    if stored is None:
        return None
    if stored != (enrolment.annotator_id, assignment.pk):
        raise BadInputError(
            "this idempotency_key belongs to another answer; use a new one for each."
        )
    return receipt


def _is_awaited(enrolment: Enrolment, assignment: Assignment) -> bool:
    """Whether this annotator holds the assignment and has not answered it."""
    return assignment.annotator_id == enrolment.annotator_id and not assignment.completed_at


def _why_surplus(enrolment: Enrolment, assignment: Assignment) -> str | None:
    if enrolment.campaign.status not in (Campaign.Status.OPEN, Campaign.Status.PAUSED):
        return SurplusVote.Reason.CAMPAIGN_CLOSED
    if enrolment.status == Enrolment.Status.DISQUALIFIED:
        return SurplusVote.Reason.ANNOTATOR_EXCLUDED
    if assignment.annotator_id == enrolment.annotator_id:
        return SurplusVote.Reason.ALREADY_ANSWERED if assignment.completed_at else None
    if _left_for_good(enrolment, assignment):
        return SurplusVote.Reason.WAS_SKIPPED
    if assignment.annotator_id is not None or _holds_item(enrolment, assignment):
        return SurplusVote.Reason.SLOT_REASSIGNED
    return None


def _left_for_good(enrolment: Enrolment, assignment: Assignment) -> bool:
    return Release.objects.filter(
        item=assignment.item_id, annotator=enrolment.annotator_id
    ).exists()


def _holds_item(enrolment: Enrolment, assignment: Assignment) -> bool:
    """Whether another slot of the same item is this annotator's."""
    return (
        Assignment.objects.main()
        .held_by(enrolment.annotator_id)
        .filter(item=assignment.item_id)
        .exists()
    )


def _keep_surplus(
    enrolment: Enrolment, assignment: Assignment, answer: Answer, reason: str, now: datetime
) -> None:
    SurplusVote.objects.create(
        assignment=assignment,
        annotator=enrolment.annotator,
        answer=answer.answer,
        response_time_ms=answer.response_time_ms,
        idempotency_key=answer.idempotency_key,
        reason=reason,
        received_at=now,
    )
    if reason == SurplusVote.Reason.SLOT_REASSIGNED and not _holds_item(enrolment, assignment):
        Release.objects.get_or_create(
            item_id=assignment.item_id,
            annotator=enrolment.annotator,
            defaults={"assignment": assignment, "reason": Release.Reason.LATE_ANSWER},
        )


def _store_vote(
    enrolment: Enrolment, assignment: Assignment, answer: Answer, now: datetime
) -> None:
    vote = Vote(
        assignment=assignment,
        annotator=enrolment.annotator,
        form=assignment.form,
        answer=answer.answer,
        marks=list(answer.marks),
        order=assignment.order,
        grades=list(form_named(assignment.form).grades(answer.answer, assignment.order)),
        response_time_ms=answer.response_time_ms,
        viewport_width=answer.viewport_width,
        viewport_height=answer.viewport_height,
        pixel_ratio=answer.pixel_ratio,
        zoomed=answer.zoomed,
        shown_px=answer.shown_px,
        language=answer.language,
        idempotency_key=answer.idempotency_key,
        is_simulated=enrolment.annotator.is_simulated,
        voted_at=now,
    )
    statements.store_vote(enrolment, vote)


def _check_answer(assignment: Assignment, answer: str) -> None:
    form = form_named(assignment.form)
    form.check(answer, len(assignment.order))
    if form.is_written:
        fault = form.fault_beside(answer, assignment.item.image_set.prompt_text)
        if fault:
            raise BadInputError(fault)


def _check_marks(assignment: Assignment, marks: tuple[str, ...]) -> None:
    unknown = [mark for mark in marks if mark not in assignment.heads]
    if unknown or len(set(marks)) != len(marks):
        known = ", ".join(assignment.heads) or "none"
        raise BadInputError(f"marks {', '.join(marks)}: send each once, of these: {known}.")


def undo_vote(*, enrolment: Enrolment, key: uuid.UUID | None, now: datetime) -> Receipt:
    """Take the annotator's last vote back; its item is theirs again, before all others.

    `key` is the vote's idempotency key; None means whichever is last. The vote stays stored,
    marked as retracted. `TOO_LATE` when the campaign's window is over, when it is not the last
    vote, or when there is none.
    """
    with transaction.atomic(durable=True):
        lock(enrolment)
        if key and Vote.objects.filter(
            idempotency_key=key, annotator=enrolment.annotator_id, retracted_at__isnull=False
        ):
            return Receipt.REPEATED
        vote = enrolment.last_vote
        if vote is None or (key and vote.idempotency_key != key) or not can_undo(enrolment, now):
            return Receipt.TOO_LATE
        vote.retracted_at = now
        vote.save(update_fields=["retracted_at"])
        Assignment.objects.filter(pk=vote.assignment_id).update(
            completed_at=None,
            lease_expires_at=now + timedelta(seconds=enrolment.campaign.lease_seconds),
        )
        enrolment.judged -= 1
        enrolment.last_vote = None
        enrolment.save(update_fields=["judged", "last_vote"])
    return Receipt.UNDONE


def can_undo(enrolment: Enrolment, now: datetime) -> bool:
    """Whether the annotator's last vote can be taken back at `now`."""
    return undo_seconds_left(enrolment, now) > 0


def undo_seconds_left(enrolment: Enrolment, now: datetime) -> int:
    """Return how long the last vote can still be taken back; 0 when it cannot."""
    vote = enrolment.last_vote
    if (
        vote is None
        or enrolment.status != Enrolment.Status.ACTIVE
        or enrolment.campaign.status != Campaign.Status.OPEN
        or (vote.assignment.purpose == Assignment.Purpose.QUALIFICATION and enrolment.qualified_at)
    ):
        return 0
    window = enrolment.campaign.checked_rules.annotation.undo_seconds
    return max(0, int(window - (now - vote.voted_at).total_seconds()))
