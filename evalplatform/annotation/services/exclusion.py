"""Votes that stop counting, and work that is given back. Nothing is ever deleted."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from evalplatform.annotation.models import Assignment, Enrolment, Exclusion, Release, Vote
from evalplatform.annotation.services.locking import lock

COMPREHENSION = "comprehension"  # the rule of who did not pass the questions
_A_MOMENT = timedelta(milliseconds=1)  # a lease ends after it began
_FREE = {"annotator": None, "leased_at": None, "lease_expires_at": None, "completed_at": None}


def exclude(*, enrolment: Enrolment, rule: str, detail: str, now: datetime) -> Exclusion:
    """Stop counting this annotator's votes in the campaign and open their slots to others.

    The votes stay stored, marked with the decision. An exclusion already in force is returned.
    """
    with transaction.atomic():
        lock(enrolment)
        existing = enrolment.exclusions.filter(revoked_at__isnull=True).first()
        if existing:
            return existing
        exclusion = Exclusion.objects.create(enrolment=enrolment, rule=rule, detail=detail)
        enrolment.status = Enrolment.Status.DISQUALIFIED
        enrolment.last_vote = None
        enrolment.save(update_fields=["status", "last_vote"])
        _release_held(enrolment, now)
        _counting_votes(enrolment).update(exclusion=exclusion)
        _reopen_slots(exclusion, now)
    return exclusion


def _counting_votes(enrolment: Enrolment):  # type: ignore[no-untyped-def]
    return Vote.objects.filter(
        annotator=enrolment.annotator_id,
        assignment__campaign=enrolment.campaign_id,
        retracted_at__isnull=True,
        exclusion__isnull=True,
    )


def _reopen_slots(exclusion: Exclusion, now: datetime) -> None:
    slots = Assignment.objects.main().filter(votes__exclusion=exclusion)
    Release.objects.bulk_create(
        (
            Release(
                assignment=slot,
                item_id=slot.item_id,
                annotator_id=exclusion.enrolment.annotator_id,
                reason=Release.Reason.EXCLUDED,
            )
            for slot in slots.select_for_update(of=["self"])
        ),
        ignore_conflicts=True,
    )
    identifiers = list(slots.values_list("pk", flat=True))
    Assignment.objects.filter(pk__in=identifiers).update(released_at=now, **_FREE)


def _release_held(enrolment: Enrolment, now: datetime) -> None:
    """Free the slots somebody holds unanswered; their checks, which nobody else can take, end."""
    held = (
        Assignment.objects.pending()
        .held_by(enrolment.annotator_id)
        .filter(campaign=enrolment.campaign_id)
    )
    held.filter(~Q(purpose=Assignment.Purpose.MAIN)).update(completed_at=now)
    held.main().update(released_at=now, **_FREE)


def reinstate(*, exclusion: Exclusion, now: datetime) -> int:
    """Revoke an exclusion; return how many votes count again.

    A vote whose slot somebody else has taken since stays excluded: its item has its k.
    """
    with transaction.atomic():
        enrolment = exclusion.enrolment
        lock(enrolment)
        exclusion.revoked_at = now
        exclusion.save(update_fields=["revoked_at"])
        votes = Vote.objects.filter(exclusion=exclusion)
        free = votes.filter(
            assignment__annotator__isnull=True, assignment__purpose=Assignment.Purpose.MAIN
        )
        slots = list(
            Assignment.objects.select_for_update(of=["self"])
            .filter(pk__in=list(free.values_list("assignment", flat=True)), annotator=None)
            .values_list("pk", flat=True)
        )
        restored = votes.filter(assignment__in=slots)
        checks = votes.filter(~Q(assignment__purpose=Assignment.Purpose.MAIN))
        for vote in restored:
            Assignment.objects.filter(pk=vote.assignment_id).update(
                annotator=enrolment.annotator_id,
                leased_at=vote.voted_at - _A_MOMENT,
                lease_expires_at=vote.voted_at,
                completed_at=vote.voted_at,
            )
        Release.objects.filter(
            annotator=enrolment.annotator_id,
            assignment__in=slots,
            reason=Release.Reason.EXCLUDED,
        ).delete()
        count = restored.update(exclusion=None)
        checks.update(exclusion=None)
        enrolment.status = Enrolment.Status.ACTIVE
        if exclusion.rule == COMPREHENSION:  # let in after all, with no try left
            enrolment.understood_at = now
        enrolment.save(update_fields=["status", "understood_at"])
    return count


def give_back(*, enrolment: Enrolment, now: datetime) -> int:
    """Free what an annotator holds unanswered because they left; their votes keep counting.

    Returns how many items were freed.
    """
    with transaction.atomic():
        lock(enrolment)
        held = (
            Assignment.objects.pending()
            .main()
            .held_by(enrolment.annotator_id)
            .filter(campaign=enrolment.campaign_id)
            .count()
        )
        _release_held(enrolment, now)
        if enrolment.status == Enrolment.Status.ACTIVE:
            enrolment.status = Enrolment.Status.RETURNED
            enrolment.save(update_fields=["status"])
    return held


def give_back_work(*, enrolment: Enrolment, now: datetime, is_excluded: bool) -> int:
    """Free what somebody holds who left, both or neither with their exclusion, if it is wanted."""
    with transaction.atomic():
        freed = give_back(enrolment=enrolment, now=now)
        if is_excluded:
            exclude(enrolment=enrolment, rule="returned", detail="gave the work back", now=now)
    return freed
