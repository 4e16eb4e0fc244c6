"""What a submission's state means for the work its person holds."""

from datetime import datetime

from evalplatform.annotation.models import CrowdVisit
from evalplatform.annotation.services import give_back
from evalplatform.crowd.statuses import LEFT


def is_of(visit: CrowdVisit, participant: str) -> bool:
    """Whether a visit is this person's, as Prolific names them; where it names nobody, it is."""
    return participant in ("", visit.enrolment.annotator.crowd_identity.external_id)


def keep_status(*, visit: CrowdVisit, status: str, now: datetime) -> int | None:
    """Keep the state of a visit's submission; who left gives their work back.

    As `release_work` does: what they hold unanswered comes free at once and their votes keep
    counting. A visit that a later one followed frees nothing. Returns how many items came free,
    None where the visit had ended so already or nobody left.
    """
    had_left = visit.status in LEFT
    if visit.status != status:
        visit.status = status
        visit.save(update_fields=["status"])
    if status not in LEFT or had_left or _came_again(visit):
        return None
    return give_back(enrolment=visit.enrolment, now=now)


def _came_again(visit: CrowdVisit) -> bool:
    return visit.enrolment.visits.filter(pk__gt=visit.pk).exists()
