"""What can be done to assignments and votes; every verb is keyword-only and atomic."""

from evalplatform.annotation.services.exclusion import exclude, give_back, reinstate
from evalplatform.annotation.services.leasing import lease_items
from evalplatform.annotation.services.opening import (
    enrol,
    join_arm,
    open_campaign,
    record_visit,
)
from evalplatform.annotation.services.questionnaire import answer_questionnaire
from evalplatform.annotation.services.skipping import skip_assignment
from evalplatform.annotation.services.voting import (
    Answer,
    Receipt,
    UnknownAssignmentError,
    record_vote,
    undo_vote,
)

__all__ = [
    "Answer",
    "Receipt",
    "UnknownAssignmentError",
    "answer_questionnaire",
    "enrol",
    "exclude",
    "give_back",
    "join_arm",
    "lease_items",
    "open_campaign",
    "record_visit",
    "record_vote",
    "reinstate",
    "skip_assignment",
    "undo_vote",
]
