"""A researcher's own API tokens, and the way to a new password."""

from datetime import timedelta
from typing import Any

from allauth.account.views import password_reset
from allauth.mfa.totp.views import ActivateTOTPView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from evalplatform.accounts.middleware import lacks_codes
from evalplatform.accounts.models import ApiToken
from evalplatform.accounts.projects import projects_of
from evalplatform.accounts.tokens import Scope, create_api_token, revoke_api_token
from evalplatform.core.errors import BadInputError


@never_cache
def ask_for_password_link(request: HttpRequest) -> HttpResponse:
    """Mail a link to a new password; without a mail server, say who can make one."""
    if settings.EMAIL_HOST:
        return password_reset(request)
    return render(request, "account/no_mail.html")


class SetUpCodes(ActivateTOTPView):
    """Set up an authenticator app, and say so where nothing else is open before."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"needed": lacks_codes(self.request.user)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def api_tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens; a POST makes one and shows its secret, this once."""
    context: dict[str, object] = {}
    if request.method == "POST":
        try:
            token, secret = _token_asked_for(request)
            context = {"made": token, "secret": secret}
        except BadInputError as error:
            context = {"error": str(error)}
    tokens = ApiToken.objects.filter(user=request.user).select_related("project")  # type: ignore[misc]
    return render(
        request,
        "account/api_tokens.html",
        context
        | {
            "tokens": tokens,
            "scopes": Scope.choices,
            "chosen": request.POST.getlist("scopes") if "error" in context else [Scope.READ],
            "projects_of_mine": projects_of(request.user),
            "ends": LIFETIMES,
            "now": timezone.now(),
        },
    )


LIFETIMES = (30, 90, 365)  # days


def _token_asked_for(request: HttpRequest) -> tuple[ApiToken, str]:
    """Make the token of the form. Raises `BadInputError`."""
    now, days = timezone.now(), request.POST.get("days", "")
    if days and days not in map(str, LIFETIMES):
        raise BadInputError(f"{days[:20]!r} days are none of the choices; choose one.")
    project = None
    if name := request.POST.get("project", ""):
        project = projects_of(request.user).filter(name=name).first()
        if project is None:
            raise BadInputError(f"no project {name[:80]!r} of yours; choose one, or all of them.")
    return create_api_token(
        user=request.user,  # type: ignore[arg-type]  # signed in
        label=request.POST.get("label", ""),
        scopes=request.POST.getlist("scopes"),
        project=project,
        expires_at=now + timedelta(days=int(days)) if days else None,
        now=now,
    )


@require_POST
@login_required
def revoke(request: HttpRequest, identifier: int) -> HttpResponse:
    """Revoke one of the person's own tokens."""
    token = get_object_or_404(ApiToken, pk=identifier, user=request.user)
    revoke_api_token(token=token, now=timezone.now())
    return redirect("accounts:api_tokens")
