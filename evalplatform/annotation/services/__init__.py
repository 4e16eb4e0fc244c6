"""What can be done to assignments and votes; every verb is keyword-only and atomic."""

from evalplatform.annotation.services.comprehension import answer_comprehension
from evalplatform.annotation.services.enrolling import (
    InvitationClosedError,
    KnownElsewhereError,
    enrol,
    enrol_arrival,
    enrol_invited,
    enrol_member,
    record_visit,
)
from evalplatform.annotation.services.erasing import (
    erase_annotator,
    erase_known,
    erase_visitor,
    known_as,
    purge_personal_data,
)
from evalplatform.annotation.services.exclusion import (
    exclude,
    give_back,
    give_back_work,
    reinstate,
)
from evalplatform.annotation.services.forgetting import forget_places
from evalplatform.annotation.services.inviting import invite, revoke_invitations
from evalplatform.annotation.services.leasing import lease_items
from evalplatform.annotation.services.locking import UnknownAssignmentError
from evalplatform.annotation.services.opening import join_arm, open_campaign
from evalplatform.annotation.services.questionnaire import answer_questionnaire
from evalplatform.annotation.services.skipping import skip_assignment
from evalplatform.annotation.services.voting import (
    Answer,
    Receipt,
    record_vote,
    record_vote_and_lease,
    undo_vote,
)

__all__ = [
    "Answer",
    "InvitationClosedError",
    "KnownElsewhereError",
    "Receipt",
    "UnknownAssignmentError",
    "answer_comprehension",
    "answer_questionnaire",
    "enrol",
    "enrol_arrival",
    "enrol_invited",
    "enrol_member",
    "erase_annotator",
    "erase_known",
    "erase_visitor",
    "exclude",
    "forget_places",
    "give_back",
    "give_back_work",
    "invite",
    "join_arm",
    "known_as",
    "lease_items",
    "open_campaign",
    "purge_personal_data",
    "record_visit",
    "record_vote",
    "record_vote_and_lease",
    "reinstate",
    "revoke_invitations",
    "skip_assignment",
    "undo_vote",
]
