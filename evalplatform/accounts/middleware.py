"""Operators set up codes before anything else, and pages of signing in are kept by no browser."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from evalplatform.accounts.models import User
from evalplatform.core.error_pages import wants_json

# Pages of people who are not signed in ask for no user, which would cost them a query.
_NEVER_ASKS = {"annotation", "core"}
_SIGNING_IN = ("account_", "mfa_", "openid_connect_", "socialaccount_", "accounts:sign_")


def needs_codes(user: User) -> bool:
    """Return whether the account may do more than a researcher: operators, and staff."""
    return user.is_staff or user.is_superuser or user.role == User.Role.OPERATOR


def lacks_codes(user: object) -> bool:
    """Return whether this is an operator who must set codes up before anything else."""
    if not settings.OPERATORS_NEED_TOTP or not isinstance(user, User) or not needs_codes(user):
        return False
    return not is_mfa_enabled(user, [Authenticator.Type.TOTP])


class OperatorsCodeMiddleware(MiddlewareMixin):
    """Lead an operator without one-time codes to the page that sets them up."""

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        here = request.resolver_match
        if not settings.OPERATORS_NEED_TOTP or here is None or here.app_name in _NEVER_ASKS:
            return None
        if here.view_name.startswith(_SIGNING_IN) or not lacks_codes(request.user):
            return None
        if wants_json(request):
            said = _("operators set up one-time codes first: sign in with a browser.")
            return HttpResponse(said, status=403, content_type="text/plain; charset=utf-8")
        return redirect("mfa_activate_totp")


class PagesOfAccountsMiddleware(MiddlewareMixin):
    """Let no browser keep pages with keys, recovery codes or forms for passwords."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        here = request.resolver_match
        if here is not None and here.view_name.startswith(_SIGNING_IN):
            add_never_cache_headers(response)
        return response
