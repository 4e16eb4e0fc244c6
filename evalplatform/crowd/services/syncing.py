"""Reading the state of every submission from Prolific, for what no message told."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from evalplatform.annotation.models import CrowdVisit
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.crowd.prolific_api import ProlificApi
from evalplatform.crowd.selectors import studies_of, visits_of
from evalplatform.crowd.services.leaving import is_of, keep_status


@dataclass
class Synced:
    """What was read: submissions by state, those whose people never began, and what came free."""

    by_status: Counter[str] = field(default_factory=Counter)
    never_began: int = 0
    left: int = 0
    freed: int = 0


def sync_submissions(
    *, campaign: Campaign, api: ProlificApi, studies: list[str] | None = None, now: datetime
) -> Synced:
    """Keep the state of each submission to the campaign's studies; who left gives work back.

    Raises `BadInputError` where no study is known, and `ProlificError`.
    """
    asked = studies or studies_of(campaign)
    if not asked:
        raise BadInputError(
            f"nobody has begun {campaign.slug!r} from Prolific with a STUDY_ID yet; name the "
            "study.",
            by_command="--study names it.",
        )
    visits: dict[str, list[CrowdVisit]] = defaultdict(list)
    for visit in visits_of(campaign):
        visits[visit.session_id].append(visit)
    synced = Synced()
    for study in asked:
        for submission in api.submissions(study):
            synced.by_status[submission.status] += 1
            theirs = [v for v in visits[submission.id] if is_of(v, submission.participant)]
            synced.never_began += not theirs
            for visit in theirs:
                with transaction.atomic():
                    freed = keep_status(visit=visit, status=submission.status, now=now)
                if freed is not None:
                    synced.left += 1
                    synced.freed += freed
    return synced
