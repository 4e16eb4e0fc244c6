"""Passing an item over."""

import uuid
from datetime import datetime

from django.db import transaction

from evalplatform.annotation.models import Assignment, Enrolment, Release
from evalplatform.annotation.services.checks import settle_qualification
from evalplatform.annotation.services.locking import lock_with
from evalplatform.annotation.services.voting import Receipt
from evalplatform.core.errors import BadInputError

SKIP_REASONS = (
    Release.Reason.BROKEN_IMAGE,
    Release.Reason.UNSAFE,
    Release.Reason.CANNOT_JUDGE,
)


def skip_assignment(
    *, enrolment: Enrolment, public_id: uuid.UUID, reason: str, now: datetime
) -> Receipt:
    """Free the slot for somebody else, with the reason kept; this annotator never gets it again.

    Raises `BadInputError` for an unknown reason, `UnknownAssignmentError` for an unknown one.
    """
    if reason not in SKIP_REASONS:
        raise BadInputError(f"{reason!r} is no reason; send one of {', '.join(SKIP_REASONS)}.")
    with transaction.atomic(durable=True):
        assignment, _ = lock_with(enrolment, public_id)
        if assignment.annotator_id != enrolment.annotator_id or assignment.completed_at:
            return Receipt.REPEATED  # skipped before, answered, or lost to somebody else
        is_main = assignment.purpose == Assignment.Purpose.MAIN
        Release.objects.create(
            assignment=assignment,
            item_id=assignment.item_id if is_main else None,
            annotator_id=enrolment.annotator_id,
            reason=reason,
        )
        if is_main:
            assignment.annotator = None
            assignment.leased_at = assignment.lease_expires_at = None
            assignment.released_at = now
        else:
            assignment.completed_at = now  # nobody else can take it; it has no vote
        assignment.save()
        if assignment.purpose == Assignment.Purpose.QUALIFICATION:
            settle_qualification(enrolment=enrolment, now=now)
    return Receipt.SKIPPED
