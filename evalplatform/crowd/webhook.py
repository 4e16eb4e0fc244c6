"""What Prolific's webhooks send: checked before anything is done with it."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from evalplatform.core.errors import EvalPlatformError
from evalplatform.crowd.statuses import status_of

SUBMISSION = "submission.status.change"
STALE_AFTER = timedelta(minutes=5)
MOST_BYTES = 64 * 1024
_LONGEST_ID = 128


class ForgedError(EvalPlatformError):
    """The message is not Prolific's, or an old one sent again."""


class UnreadableError(EvalPlatformError):
    """The message is Prolific's, and not in the form that is known."""


@dataclass(frozen=True)
class Event:
    """A submission that has come to another state; `id` is the same when it is sent again."""

    id: str
    submission: str
    participant: str
    status: str


def signature_of(body: bytes, timestamp: str, secret: str) -> str:
    """Return the signature that Prolific gives a message."""
    digest = hmac.new(secret.encode(), timestamp.encode("utf-8", "replace") + body, hashlib.sha256)
    return base64.b64encode(digest.digest()).decode()


def check_signature(*, body: bytes, timestamp: str, given: str, secret: str, now: datetime) -> None:
    """Raise `ForgedError` for a wrong signature, and for one that is over five minutes old."""
    expected = signature_of(body, timestamp, secret)
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise ForgedError("the signature is not that of this message.")
    try:
        age = abs(now.timestamp() - float(timestamp))
    except ValueError as error:
        raise ForgedError("the timestamp is no number.") from error
    if not age <= STALE_AFTER.total_seconds():
        raise ForgedError("the message is too old.")


def event_of(body: bytes, event_id: str) -> Event | None:
    """Return the event of a message, or None for one that tells nothing of a submission.

    Without an id of its own a message is known by its content. Raises `UnreadableError`.
    """
    try:
        told = json.loads(body)
        if not isinstance(told, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise UnreadableError("the message is not a JSON object.") from error
    if told.get("event_type") != SUBMISSION:
        return None
    submission, status = told.get("resource_id"), told.get("status")
    words = [each for each in (submission, status) if isinstance(each, str) and each.isprintable()]
    if len(words) < 2 or not status:
        raise UnreadableError("the message names no submission, or no status.")
    return Event(
        id=(event_id or hashlib.sha256(body).hexdigest())[:_LONGEST_ID],
        submission=str(submission),
        participant=str(told.get("participant_id") or ""),
        status=status_of(status),
    )
