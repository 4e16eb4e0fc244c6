"""From choices to an open campaign; every verb is keyword-only."""

from evalplatform.runs.services.drafting import (
    DraftConflictError,
    SavedDraft,
    copy_campaign,
    delete_draft,
    make_draft,
    save_draft,
)
from evalplatform.runs.services.forwarding import ask_forward, bring_forward
from evalplatform.runs.services.launching import (
    ask_to_open,
    launch_draft,
    open_asked,
    wake_silent_opening,
)
from evalplatform.runs.services.running import (
    CHECKS_PER_CRITERION,
    RunPlan,
    add_arm,
    advance_run,
    arm_named,
    ask_newcomers_checks,
    newcomers_pictures,
    newcomers_samples,
    open_run,
    prepare_gold,
    rehearsed_run,
    request_newcomer,
    request_samples,
    resume_run,
    start_run,
)

__all__ = [
    "CHECKS_PER_CRITERION",
    "DraftConflictError",
    "RunPlan",
    "SavedDraft",
    "add_arm",
    "advance_run",
    "arm_named",
    "ask_forward",
    "ask_newcomers_checks",
    "ask_to_open",
    "bring_forward",
    "copy_campaign",
    "delete_draft",
    "launch_draft",
    "make_draft",
    "newcomers_pictures",
    "newcomers_samples",
    "open_asked",
    "open_run",
    "prepare_gold",
    "rehearsed_run",
    "request_newcomer",
    "request_samples",
    "resume_run",
    "save_draft",
    "start_run",
    "wake_silent_opening",
]
