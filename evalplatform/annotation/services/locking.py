"""The one row that orders everything one annotator does in a campaign."""

import uuid
from datetime import datetime

from evalplatform.annotation import statements
from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.core.errors import EvalPlatformError


class UnknownAssignmentError(EvalPlatformError):
    """The request names no assignment this annotator could have been given."""


def lock(enrolment: Enrolment) -> None:
    """Lock the enrolment's row until the end of the transaction and read it anew, in place.

    It comes before every other lock, so two requests of one annotator take turns and cannot
    deadlock; its campaign and last vote are read along. An enrolment that was never read is found
    by its annotator and its campaign's invitation; `Enrolment.DoesNotExist` where there is none.
    """
    enrolment.__dict__.update(statements.lock_enrolment(enrolment).__dict__)


def lock_with_leases(enrolment: Enrolment, now: datetime) -> list[statements.Lease]:
    """Lock the enrolment as `lock` does, and return what its annotator holds then."""
    locked, held = statements.lock_with_leases(enrolment, now)
    enrolment.__dict__.update(locked.__dict__)
    return held


def lock_with(
    enrolment: Enrolment, public_id: uuid.UUID, key: uuid.UUID | None = None
) -> tuple[Assignment, tuple[int, int] | None]:
    """Lock the enrolment as `lock` does, and an assignment of its campaign.

    Returns the assignment, and (annotator, assignment) of the vote with this idempotency key, None
    where there is none. Raises `UnknownAssignmentError` for an id that the campaign does not have.
    """
    locked, assignment, voted = statements.lock_both(enrolment, public_id, key)
    enrolment.__dict__.update(locked.__dict__)
    if assignment is None:
        raise UnknownAssignmentError("this is not known here; reload the page.")
    return assignment, voted
