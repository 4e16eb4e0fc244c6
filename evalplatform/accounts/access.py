"""Who is asking: a script with a token, or a person with a session."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from evalplatform.accounts.models import ApiToken
from evalplatform.accounts.tokens import TokenRefusedError, token_of_secret

View = Callable[..., HttpResponse]


def token_or_session(scope: ApiToken.Scope) -> Callable[[View], View]:
    """Decorator: let `Authorization: Bearer TOKEN`, of a token with `scope`, stand for a session.

    A browser never sends that header by itself, so such a request needs no CSRF token; any other
    does, as everywhere. A token that is not good is 401, whatever session there is, and one without
    the scope 403. Whether anybody is signed in at all is the view's question.
    """

    def decorate(view: View) -> View:
        with_session = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            secret = bearer_of(request)
            if secret is None:
                return with_session(request, *args, **kwargs)
            try:
                token = token_of_secret(secret, timezone.now())
            except TokenRefusedError as error:
                return unauthorised(str(error))
            if scope not in token.scopes:
                return HttpResponse(
                    lacks_scope(token, scope), status=403, content_type="text/plain; charset=utf-8"
                )
            act_by(request, token)
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def bearer_of(request: HttpRequest) -> str | None:
    """Return the secret that a request carries; None where it carries none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def act_by(request: HttpRequest, token: ApiToken) -> None:
    """Let a request be its token's owner's from here on."""
    request.user = token.user
    request.by_api_token = True  # type: ignore[attr-defined]  # for core.acting


def lacks_scope(token: ApiToken, scope: ApiToken.Scope) -> str:
    """Return in words that a token is not for this."""
    return (
        f"this token has the scopes {', '.join(token.scopes)}, and this needs {scope.value}; "
        "make one that has it."
    )


def unauthorised(reason: str) -> HttpResponse:
    """Return 401 with the reason as plain text."""
    response = HttpResponse(reason, status=401, content_type="text/plain; charset=utf-8")
    response["WWW-Authenticate"] = "Bearer"
    response["Cache-Control"] = "no-store"
    return response
