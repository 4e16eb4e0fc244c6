"""Looking at an annotator while they work."""

import logging
from datetime import datetime
from typing import Any

from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.quality.rules import has_exclusion_rules
from evalplatform.quality.services import review

LOOK_EVERY = 10  # answers
_CHECKS = (Assignment.Purpose.GOLD, Assignment.Purpose.REPEAT)
log = logging.getLogger(__name__)


def review_after_vote(
    sender: object, *, enrolment: Enrolment, purpose: str, now: datetime, **kwargs: Any
) -> None:
    """Review an annotator after every check and every tenth answer.

    The vote is stored by now and its receipt must be sent whatever happens here: a failed review
    is logged, and the next one sees the same votes.
    """
    try:
        if not has_exclusion_rules(enrolment.campaign.checked_rules.quality):
            return
        if purpose in _CHECKS or enrolment.judged % LOOK_EVERY == 0:
            review(enrolment=enrolment, now=now)
    except Exception:
        log.exception("the review of %s failed; their vote is kept", enrolment)
