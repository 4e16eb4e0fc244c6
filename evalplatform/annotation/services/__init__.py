"""What can be done to assignments and votes; every verb is keyword-only and atomic."""

from evalplatform.annotation.services.exclusion import exclude, give_back, reinstate
from evalplatform.annotation.services.leasing import hold_pairs
from evalplatform.annotation.services.opening import (
    enrol,
    open_campaign,
    plan_sides,
    record_visit,
    surplus_sides,
)
from evalplatform.annotation.services.questionnaire import answer_questionnaire
from evalplatform.annotation.services.skipping import skip_assignment
from evalplatform.annotation.services.voting import (
    Answer,
    Receipt,
    UnknownAssignmentError,
    outcome_of,
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
    "hold_pairs",
    "open_campaign",
    "outcome_of",
    "plan_sides",
    "record_visit",
    "record_vote",
    "reinstate",
    "skip_assignment",
    "surplus_sides",
    "undo_vote",
]
