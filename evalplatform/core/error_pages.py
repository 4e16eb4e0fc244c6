"""What stands in place of a page that cannot be given: in plain words, or as JSON for a client.

Every one is made without the request's user, session or context processors, so that it can be
given while the database is away.
"""

import logging
import sys

from django.db import DataError, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from evalplatform.core.broker_faults import BROKER_ERRORS, said_of_broker
from evalplatform.core.database_faults import READ_ONLY, FaultKind, fault_of, is_of_a_value
from evalplatform.core.errors import NotAllowedError
from evalplatform.core.object_storage import ObjectStorageError
from evalplatform.core.problems import problem_of_status

logger = logging.getLogger(__name__)
RETRY_SECONDS = 5
_SAFE = _(
    "If you were judging images: every answer that was saved is safe; those that were not are "
    "still on your device and are sent by themselves."
)

_WORDS = {
    400: (
        _("The site cannot read this request"),
        _("Go back and try again. If this page comes again, tell who sent you the link."),
    ),
    403: (
        _("This is not allowed"),
        _("You may be signed out, or may not see this. Ask who sent you the link."),
    ),
    404: (
        _("This link is not valid"),
        _("Ask who sent it to you. If you typed it, look for a letter that is wrong or missing."),
    ),
    500: (
        _("The site has made a mistake"),
        _("It is written down for the people who run the site. Go back and try again."),
    ),
}
# Each is followed by `_SAFE`.
_UNAVAILABLE = {
    FaultKind.AWAY: (
        _("Back in a moment"),
        _("A part of the site is away. Load this page again in a minute."),
    ),
    FaultKind.BUSY: (
        _("The site is busy"),
        _("Others were doing the same at once. Load this page again in a minute."),
    ),
    FaultKind.SLOW: (
        _("This took too long"),
        _(
            "The site gave up before it was done. Load this page again; if this comes again, tell "
            "the people who run the site."
        ),
    ),
    FaultKind.FULL: (
        _("The site cannot store anything"),
        _("Its disk is full or faulty. The people who run the site have to mend that."),
    ),
    FaultKind.SETUP: (
        _("The site is not set up right"),
        _("It has no way to its data. The people who run the site have to mend that."),
    ),
}
_SESSION_OVER = (
    _("This page was open for too long"),
    _("Your session has ended meanwhile. Go back, load the page again, and repeat what you did."),
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403; where a role is too low, with the one that is needed and whom to ask."""
    if isinstance(exception, NotAllowedError):
        return _answer(request, 403, (_WORDS[403][0], str(exception)))
    return _answer(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, _SESSION_OVER)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or what `explained` says of what was raised."""
    raised = sys.exc_info()[1]
    return explained(request, raised) or _answer(request, 500)


def explained(request: HttpRequest, raised: BaseException | None) -> HttpResponse | None:
    """Return the page for an exception that says what is wrong; None for any other.

    400 for a value that no column can hold (a NUL character, a number beyond all bounds) and that
    no form refused before, 503 where a part of the platform is away.
    """
    if isinstance(raised, DataError) and is_of_a_value(raised):
        # With its traceback: the form that let it through could say which field it was.
        logger.warning("a request gave what the database cannot hold", exc_info=raised)
        return _answer(request, 400)
    return _unavailable(request, raised)


def _unavailable(request: HttpRequest, raised: BaseException | None) -> HttpResponse | None:
    """Return 503 where a part is away, busy or full; None where the exception says otherwise."""
    kind = FaultKind.AWAY
    if isinstance(raised, InternalError) and fault_of(raised) is READ_ONLY:
        # While another server takes over, say: what is written is sent again.
        logger.warning("%s: %s", READ_ONLY.said, raised)
    elif isinstance(raised, OperationalError | InterfaceError):
        fault = fault_of(raised)
        kind = fault.kind if fault else FaultKind.AWAY
        # With its traceback where there is a statement to look at, such as one of a deadlock.
        trace = raised if kind in (FaultKind.BUSY, FaultKind.SLOW) else None
        said = fault.said if fault else "the database gave an error"
        logger.error("%s: %s", said, raised, exc_info=trace)
    elif isinstance(raised, BROKER_ERRORS):
        logger.error("%s", said_of_broker(raised))
    elif isinstance(raised, ObjectStorageError):
        logger.error("%s", raised)
    else:
        return None
    title, text = _UNAVAILABLE[kind]
    response = _answer(request, 503, (title, f"{text} {_SAFE}"))
    response["Retry-After"] = str(RETRY_SECONDS)
    return response


def wants_json(request: HttpRequest) -> bool:
    """Return whether it is a script that asks: `Accept: application/json`, and no HTML."""
    return request.accepts("application/json") and not request.accepts("text/html")


def _answer(
    request: HttpRequest, status: int, words: tuple[object, object] | None = None
) -> HttpResponse:
    title, text = words or _WORDS[status]
    response: HttpResponse
    if request.path.startswith("/api/"):
        return problem_of_status(status, f"{title}. {text}")
    if wants_json(request):
        response = JsonResponse({"error": f"{title}. {text}"}, status=status)
    else:
        page = render_to_string("error.html", {"title": title, "text": text})
        response = HttpResponse(page, status=status)
    response["Cache-Control"] = "no-store"
    return response
