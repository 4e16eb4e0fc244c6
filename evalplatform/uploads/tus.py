"""The tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation and
termination. Any tus client can send a file and go on after a broken connection, with a session's
cookies or an API token (docs/api.md).
"""

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from evalplatform.accounts.access import unauthorised
from evalplatform.core.errors import BadInputError, NotAllowedError
from evalplatform.uploads.receiving import BusyError, OffsetError

TUS = "1.0.0"
_PART = "application/offset+octet-stream"
View = Callable[..., HttpResponse]


def tus(view: View) -> View:
    """Speak tus to whoever is signed in: its headers on every answer, refusals as plain text."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = _answer(view, request, *args, **kwargs)
        response["Tus-Resumable"] = TUS
        response["Cache-Control"] = "no-store"
        return response

    return wrapped


def _answer(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    if not request.user.is_authenticated:
        return unauthorised("sign in first, or send Authorization: Bearer TOKEN")
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != TUS:
        return refusal(412, f"send the header Tus-Resumable: {TUS}")
    try:
        return view(request, *args, **kwargs)
    except NotAllowedError as error:
        return refusal(403, str(error))
    except BadInputError as error:
        return refusal(400, str(error))
    except UnreadablePostError:
        return refusal(400, "the part broke off; what arrived of it is kept")
    except OffsetError as error:
        return refusal(409, str(error))
    except BusyError as error:
        return refusal(423, str(error))


def refusal(status: int, reason: str) -> HttpResponse:
    return HttpResponse(reason, status=status, content_type="text/plain; charset=utf-8")


def spoken() -> HttpResponse:
    """Answer OPTIONS: what is spoken here."""
    return HttpResponse(
        status=204,
        headers={
            "Tus-Version": TUS,
            "Tus-Extension": "creation,termination",
            "Tus-Max-Size": str(settings.CHECKPOINT_MAX_BYTES),
        },
    )


def begun(address: str) -> HttpResponse:
    """Return where the parts of an upload go."""
    return HttpResponse(status=201, headers={"Location": address})


def taken(request: HttpRequest, size_bytes: int, receive: Callable[..., int]) -> HttpResponse:
    """Let `receive` take the part that a PATCH brings, and return how much has arrived.

    It is given `offset`, `body` and `length`, and returns the bytes that are there.
    """
    if request.content_type != _PART:
        return refusal(415, f"send the part as {_PART}")
    there = receive(
        offset=number(request, "Upload-Offset"),
        body=request,
        length=number(request, "Content-Length"),
    )
    return arrived(204, there, size_bytes)


def arrived(status: int, received: int, size_bytes: int) -> HttpResponse:
    """Return how much of an upload has arrived."""
    headers = {"Upload-Offset": str(received), "Upload-Length": str(size_bytes)}
    return HttpResponse(status=status, headers=headers)


def number(request: HttpRequest, header: str) -> int:
    """Return a header's whole number. Raises `BadInputError`."""
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise BadInputError(f"the header {header} is {given[:40]!r}; send a whole number of bytes.")
    return int(given)


def metadata(request: HttpRequest) -> dict[str, str]:
    """Read tus' `key base64, key base64`. Raises `BadInputError`."""
    told = {}
    for part in request.headers.get("Upload-Metadata", "").split(","):
        key, _, value = part.strip().partition(" ")
        try:
            told[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadInputError(
                f"the header Upload-Metadata holds {part[:40]!r}; values are base64 of UTF-8."
            ) from error
    return told
