"""ETag and If-Match: nobody overwrites what somebody else changed meanwhile."""

import hashlib
import re
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Schema

from evalplatform.core.errors import ChangedMeanwhileError

Shown = TypeVar("Shown", bound=Schema)


def etag_of(shown: Schema) -> str:
    """Return the ETag of what an answer shows."""
    return f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def tagged(response: HttpResponse, shown: Shown) -> Shown:
    """Return `shown`, its ETag put into the response."""
    response["ETag"] = etag_of(shown)
    return shown


def refuse_changed(request: HttpRequest, shown: Schema) -> None:
    """Raise `ChangedMeanwhileError` unless If-Match, where it is sent, names what is there now.

    The caller holds the row's lock.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return
    if etag_of(shown) not in re.findall(r'(?:W/)?("[^"]*")', given):
        raise ChangedMeanwhileError(
            f"If-Match is {given[:60]}, and it is {etag_of(shown)} now: somebody changed it; read "
            "it again, and send the change with the new ETag."
        )
