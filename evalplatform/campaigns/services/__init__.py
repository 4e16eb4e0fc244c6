"""A campaign's way from a draft to its close; every verb is keyword-only."""

from evalplatform.campaigns.services.creating import allow, create_campaign, plan_opening
from evalplatform.campaigns.services.joining import (
    amend_protocol,
    check_newcomer,
    create_newcomer,
    refuse_any_newcomer,
    why_not_joining,
)
from evalplatform.campaigns.services.running import (
    close_campaign,
    freeze_protocol,
    pause_campaign,
    resume_campaign,
    start_generation,
)

__all__ = [
    "allow",
    "amend_protocol",
    "check_newcomer",
    "close_campaign",
    "create_campaign",
    "create_newcomer",
    "freeze_protocol",
    "pause_campaign",
    "plan_opening",
    "refuse_any_newcomer",
    "resume_campaign",
    "start_generation",
    "why_not_joining",
]
