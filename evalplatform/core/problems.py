"""Errors of the API as problem details (RFC 9457): a stable code, and one line for a person."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse

PROBLEM = "application/problem+json"
# What a client may tell apart, by code: status, and in words. A code never changes its meaning.
CODES: dict[str, tuple[int, str]] = {
    "unreadable": (400, "The request cannot be read"),
    "unauthenticated": (401, "Nobody is signed in"),
    "token-refused": (401, "The token is unknown, revoked or expired"),
    "csrf": (403, "A session's request lacks its CSRF token"),
    "scope-missing": (403, "The token lacks the scope"),
    "not-allowed": (403, "The role is too low"),
    "not-found": (404, "It does not exist, or not for you"),
    "method-not-allowed": (405, "The route does not take this method"),
    "conflict": (409, "Its state does not allow this"),
    "idempotency-running": (409, "The same request is running"),
    "changed-meanwhile": (412, "Somebody changed it meanwhile"),
    "too-large": (413, "The request is too large"),
    "refused": (422, "What was given cannot be used"),
    "invalid": (422, "Fields are wrong"),
    "idempotency-mismatch": (422, "The key was used for another request"),
    "too-many-requests": (429, "The token's requests of this minute are used up"),
    "internal": (500, "The site has made a mistake"),
    "unavailable": (503, "A part of the site is away or busy"),
}
_BY_STATUS = {
    400: "unreadable", 401: "unauthenticated", 403: "not-allowed", 404: "not-found",
    405: "method-not-allowed", 409: "conflict", 412: "changed-meanwhile", 413: "too-large",
    422: "refused", 429: "too-many-requests", 503: "unavailable",
}  # fmt: skip
REFERENCE = "/api/v1/reference"


def problem(
    code: str,
    detail: str,
    *,
    fields: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the answer for one of `CODES`; `fields` are of `name` and `detail`."""
    status, title = CODES[code]
    told: dict[str, Any] = {
        "type": f"{REFERENCE}#problem-{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if fields:
        told["fields"] = [dict(each) for each in fields]
    # Escaped to ASCII: what was given may hold halves of characters.
    response = HttpResponse(json.dumps(told), status=status, content_type=PROBLEM)
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def problem_of_status(status: int, detail: str) -> HttpResponse:
    """Return the problem of a status that comes without a code of its own."""
    return problem(_BY_STATUS.get(status, "internal"), detail)
