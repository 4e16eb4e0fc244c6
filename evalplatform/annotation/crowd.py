"""People from crowd platforms: who they are when they come, and the way back when they finish.

Prolific sends PROLIFIC_PID, STUDY_ID and SESSION_ID in the address; MTurk's external question
sends workerId, assignmentId, hitId and turkSubmitTo.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext

from evalplatform.accounts.models import CrowdIdentity
from evalplatform.annotation.models import CrowdVisit, Enrolment
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

Platform = CrowdIdentity.Platform
MTURK_HOSTS = ("https://www.mturk.com", "https://workersandbox.mturk.com")
MTURK_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
PROLIFIC_HOST = "https://app.prolific.com"
PROLIFIC_COMPLETE = f"{PROLIFIC_HOST}/submissions/complete"
# States after which a platform's people have nothing more to do here.
ENDS = ("done", "finished", "waiting", "closed", "disqualified")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Arrival:
    """What the address said about a visitor from a crowd platform."""

    platform: str
    external_id: str
    study_id: str
    session_id: str
    submit_to: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def arrival_of(query: Mapping[str, str]) -> Arrival | None:
    """Return who comes from which platform, or None for everybody else.

    Raises `BadInputError` for ids a platform would not send, such as a template's placeholder.
    """
    if "PROLIFIC_PID" in query:
        return Arrival(
            platform=Platform.PROLIFIC,
            external_id=_id(query, "PROLIFIC_PID"),
            study_id=_id(query, "STUDY_ID", optional=True),
            session_id=_id(query, "SESSION_ID", optional=True),
        )
    if "workerId" in query:
        return Arrival(
            platform=Platform.MTURK,
            external_id=_id(query, "workerId"),
            study_id=_id(query, "hitId", optional=True),
            session_id=_id(query, "assignmentId"),
            submit_to=_submit_to(query.get("turkSubmitTo", "")),
        )
    return None


def is_mturk_preview(query: Mapping[str, str]) -> bool:
    """Whether a worker looks at the task before accepting it."""
    return query.get("assignmentId") == MTURK_PREVIEW


def _id(query: Mapping[str, str], name: str, *, optional: bool = False) -> str:
    value = query.get(name, "")
    if (value or not optional) and not _ID.fullmatch(value):
        raise BadInputError(
            f"the link from the platform is incomplete: {name} is {value[:64]!r}, not an id; open "
            "the study from the platform again."
        )
    return value


def _submit_to(value: str) -> str:
    if value.rstrip("/") not in MTURK_HOSTS:
        raise BadInputError(
            f"turkSubmitTo is {value[:100]!r}; accepted: {' or '.join(MTURK_HOSTS)}."
        )
    return value.rstrip("/")


def exit_of(enrolment: Enrolment, state: str) -> dict[str, Any] | None:
    """Return the way out of an end state, or None for who did not come from a platform."""
    if state not in ENDS:
        return None
    visit = enrolment.visits.order_by("-came_at", "-pk").first()
    if visit is None:
        return None
    return way_back(visit, enrolment.campaign, state, judged=enrolment.judged)


def way_back(
    came: Arrival | CrowdVisit, campaign: Campaign, state: str, *, judged: int = 0
) -> dict[str, Any] | None:
    """Return what takes somebody who `came` from a platform back to it, after `judged` pairs.

    None where the platform wants a code and the campaign's rules have none.
    """
    if came.platform == Platform.PROLIFIC:
        return _to_prolific(campaign, state, judged)
    return _to_mturk(came, judged)


def _to_prolific(campaign: Campaign, state: str, judged: int) -> dict[str, Any] | None:
    rules = campaign.checked_rules.crowd
    code = rules.prolific_completion_code
    if state == "disqualified":
        code = rules.prolific_screened_out_code
    elif not judged:  # who came in good faith gets back in any case, and "finished" they have not
        code = rules.prolific_screened_out_code or code
    if not code:
        return None
    return {
        "method": "get",
        "url": PROLIFIC_COMPLETE,
        "fields": {"cc": code},
        "label": gettext("Return to Prolific"),
    }


def _to_mturk(came: Arrival | CrowdVisit, judged: int) -> dict[str, Any]:
    return {
        "method": "post",
        "url": f"{came.submit_to}/mturk/externalSubmit",
        "fields": {"assignmentId": came.session_id, "judged": str(judged)},
        "label": gettext("Submit to MTurk"),
    }
