"""What can be done with people from Prolific; every verb is keyword-only."""

from evalplatform.crowd.services.events import Received, receive_event
from evalplatform.crowd.services.settling import Settled, clear_uncertain, settle
from evalplatform.crowd.services.syncing import Synced, sync_submissions

__all__ = [
    "Received",
    "Settled",
    "Synced",
    "clear_uncertain",
    "receive_event",
    "settle",
    "sync_submissions",
]
