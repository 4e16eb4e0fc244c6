"""Looking at an annotator while they work."""

import logging
from datetime import datetime
from typing import Any

from evalplatform.annotation.models import Enrolment
from evalplatform.quality.rules import has_exclusion_rules
from evalplatform.quality.services import review

LOOK_EVERY = 5  # answers
log = logging.getLogger(__name__)


def review_after_vote(
    sender: object, *, enrolment: Enrolment, now: datetime, **kwargs: Any
) -> None:
    """Review an annotator after every fifth answer and the last of a session, whatever it was to.

    Looking after every check instead would tell it: by the time that the answer takes, and by who
    is excluded right after it.

    The vote is stored by now and its receipt must be sent whatever happens here: a failed review
    is logged, and the next one sees the same votes.
    """
    try:
        rules = enrolment.campaign.checked_rules
        if not has_exclusion_rules(rules.quality):
            return
        if enrolment.judged % LOOK_EVERY == 0 or enrolment.judged == rules.annotation.session_cap:
            review(enrolment=enrolment, now=now)
    except Exception:
        log.exception("the review of %s failed; their vote is kept", enrolment)
