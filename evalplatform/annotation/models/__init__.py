"""Who takes part, exactly k slots an item, and the votes that fill them."""

from evalplatform.annotation.models.assignments import Assignment, Release
from evalplatform.annotation.models.comprehension import ComprehensionTry
from evalplatform.annotation.models.crowd import ERASED, CrowdEvent, CrowdVisit, Settlement
from evalplatform.annotation.models.doors import Invitation, RateCount
from evalplatform.annotation.models.enrolments import Enrolment, Exclusion, new_check_seed
from evalplatform.annotation.models.votes import SurplusVote, Vote

__all__ = [
    "ERASED",
    "Assignment",
    "ComprehensionTry",
    "CrowdEvent",
    "CrowdVisit",
    "Enrolment",
    "Exclusion",
    "Invitation",
    "RateCount",
    "Release",
    "Settlement",
    "SurplusVote",
    "Vote",
    "new_check_seed",
]
