"""Who is asking: a script with a token, or a person with a session."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from evalplatform.accounts.tokens import user_of_token

View = Callable[..., HttpResponse]


def token_or_session(view: View) -> View:
    """Let `Authorization: Bearer TOKEN` stand for a session.

    A browser never sends that header by itself, so such a request needs no CSRF token; any other
    does, as everywhere. A token that is not good is 401, whatever session there is. Whether anybody
    is signed in at all is the view's question.
    """
    with_session = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return with_session(request, *args, **kwargs)
        user = user_of_token(secret.strip(), timezone.now())
        if user is None:
            return unauthorised("this API token is unknown or was revoked")
        request.user = user
        request.by_api_token = True  # type: ignore[attr-defined]  # for core.acting
        return view(request, *args, **kwargs)

    return wrapped


def unauthorised(reason: str) -> HttpResponse:
    """Return 401 with the reason as plain text."""
    response = HttpResponse(reason, status=401, content_type="text/plain; charset=utf-8")
    response["WWW-Authenticate"] = "Bearer"
    response["Cache-Control"] = "no-store"
    return response
