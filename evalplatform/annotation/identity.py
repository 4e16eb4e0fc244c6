"""Who is asking: a signed cookie holds the annotator, so that no request looks it up."""

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from evalplatform.accounts.models import Annotator

COOKIE = "annotator"
_SALT = "evalplatform.annotation"
R = TypeVar("R", bound=HttpResponseBase)


def annotator_id(request: HttpRequest) -> int | None:
    """Return the annotator this browser works as; None without the cookie or a forged one."""
    signed = request.get_signed_cookie(
        COOKIE, default="", salt=_SALT, max_age=settings.SESSION_COOKIE_AGE
    )
    return int(signed) if signed else None


def sign_in(response: R, annotator: Annotator) -> R:
    """Let the browser that gets the response work as this annotator from now on."""
    response.set_signed_cookie(
        COOKIE,
        str(annotator.pk),
        salt=_SALT,
        max_age=settings.SESSION_COOKIE_AGE,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
