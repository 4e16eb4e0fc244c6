"""Who calls: a script with a token of the right scope, or a person in the browser."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from evalplatform.accounts.access import act_by, bearer_of, lacks_scope
from evalplatform.accounts.models import ApiToken, User
from evalplatform.accounts.tokens import seconds_to_wait, token_of_secret
from evalplatform.core.errors import EvalPlatformError

Scope = ApiToken.Scope
_KEPT = "_api_caller"


class ScopeMissingError(EvalPlatformError):
    """The token is not for this."""


class CsrfError(EvalPlatformError):
    """A session's request came without its CSRF token."""


class TooManyRequestsError(EvalPlatformError):
    """The token has had its requests of this minute."""

    def __init__(self, most: int, wait: int) -> None:
        super().__init__(f"{most:,} requests a minute are a token's; go on in {wait} s.")
        self.wait = wait


@dataclass(frozen=True)
class Caller:
    """A person, and the token they come by; None: with their session."""

    user: User
    token: ApiToken | None

    def may_use(self, scope: ApiToken.Scope) -> bool:
        """Return whether their token is for this; a session is for everything."""
        return self.token is None or scope in self.token.scopes


def caller_of(request: HttpRequest) -> Caller | None:
    """Return who calls, found once a request; None for nobody.

    Raises `TokenRefusedError` or `TooManyRequestsError`, each time it is asked.
    """
    kept: Caller | Exception | None = getattr(request, _KEPT, None)
    if kept is None:
        try:
            kept = _find(request)
        except EvalPlatformError as error:
            kept = error
        setattr(request, _KEPT, kept)
    if isinstance(kept, Exception):
        raise kept
    return kept


def known_caller(request: HttpRequest) -> Caller:
    """Return who calls, where the route has let them in."""
    caller = caller_of(request)
    assert caller is not None
    return caller


def _find(request: HttpRequest) -> Caller | None:
    secret = bearer_of(request)
    if secret is None:
        return Caller(request.user, None) if isinstance(request.user, User) else None
    now = timezone.now()
    token = token_of_secret(secret, now)
    most = settings.API_REQUESTS_PER_MINUTE
    if most and (wait := seconds_to_wait(token=token, most=most, now=now)):
        raise TooManyRequestsError(most, wait)
    act_by(request, token)
    return Caller(token.user, token)


class TokenOf(HttpBearer):
    """A token with a scope."""

    def __init__(self, scope: ApiToken.Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        caller = caller_of(request)
        if caller is not None and caller.token and not caller.may_use(self.scope):
            raise ScopeMissingError(lacks_scope(caller.token, self.scope))
        return caller


class Session(APIKeyCookie):
    """The cookie of whoever is signed in on the site, with its CSRF token where it changes."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)  # asked for below, once it is known that somebody is there

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        if bearer_of(request) is not None:
            return None
        caller = caller_of(request)
        if caller is not None and check_csrf(request):
            raise CsrfError(
                "a session's request that changes something carries the header X-CSRFToken; a "
                "script sends Authorization: Bearer TOKEN instead."
            )
        return caller
