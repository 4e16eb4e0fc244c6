"""People from crowd platforms: who they are when they come, and the way back when they finish.

Prolific sends PROLIFIC_PID, STUDY_ID and SESSION_ID in the address.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext

from evalplatform.accounts.models import CrowdIdentity
from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError

Platform = CrowdIdentity.Platform
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
    return None


def _id(query: Mapping[str, str], name: str, *, optional: bool = False) -> str:
    value = query.get(name, "")
    if (value or not optional) and not _ID.fullmatch(value):
        raise BadInputError(
            f"the link from the platform is incomplete: {name} is {value[:64]!r}, not an id; open "
            "the study from the platform again."
        )
    return value


def exit_of(enrolment: Enrolment, state: str) -> dict[str, Any] | None:
    """Return the way out of an end state, or None for who did not come from a platform."""
    if state not in ENDS:
        return None
    if not enrolment.visits.exists():
        return None
    return way_back(enrolment.campaign, state, judged=enrolment.judged)


def way_back(campaign: Campaign, state: str, *, judged: int = 0) -> dict[str, Any] | None:
    """Return what takes somebody who came from Prolific back to it, after `judged` pairs.

    None where the campaign's rules have no code for it.
    """
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
