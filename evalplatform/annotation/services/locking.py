"""The one row that orders everything one annotator does in a campaign."""

from evalplatform.annotation import statements
from evalplatform.annotation.models import Enrolment


def lock(enrolment: Enrolment) -> None:
    """Lock the enrolment's row until the end of the transaction and read it anew, in place.

    It comes before every other lock, so two requests of one annotator take turns and cannot
    deadlock; its campaign and last vote are read along. An enrolment that was never read is found
    by its annotator and its campaign's invitation; `Enrolment.DoesNotExist` where there is none.
    """
    enrolment.__dict__.update(statements.lock_enrolment(enrolment).__dict__)
