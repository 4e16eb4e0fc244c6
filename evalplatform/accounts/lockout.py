"""Who may not try again for a while: after wrong passwords or one-time codes.

An account is locked for the address the tries came from, so that nobody can keep somebody else out;
an address that tries many accounts is locked for all of them.
"""

import logging
import math
from typing import Any

from allauth.core import ratelimit
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.db.models import Sum
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from evalplatform.accounts.models import User

logger = logging.getLogger(__name__)
# A whole laboratory may sit behind one address.
ADDRESS_LIMIT_IN_ACCOUNTS = 10
Credentials = dict[str, Any] | None


def username_of(request: HttpRequest, credentials: Credentials) -> str:
    """Return the name tries are counted under: however it is spelt, one account is one."""
    return _counted_as((credentials or {}).get("username") or request.POST.get("username", ""))


def _counted_as(username: object) -> str:
    return str(username).strip().casefold().replace("\0", "")[:150]


class LockoutHandler(AxesDatabaseHandler):
    """An address may fail ten times as often as one account from it."""

    def get_failures(self, request: HttpRequest, credentials: Credentials = None) -> int:
        address, account = (
            attempts.aggregate(failures=Sum("failures_since_start"))["failures"] or 0
            for attempts in self.get_user_attempts(request, credentials)
        )
        return max(account, address // ADDRESS_LIMIT_IN_ACCOUNTS)

    def reset_user_attempts(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """Forget the failures of an account from this address, and of no other account."""
        _, account = self.filter_user_attempts(request, credentials)
        return account.delete()[0]


def locked_out(
    request: HttpRequest, response: HttpResponse, credentials: Credentials
) -> HttpResponse:
    """Say that sign-in is locked from here, and for how long."""
    handler = LockoutHandler()
    times = [
        attempt.attempt_time
        for attempts in handler.get_user_attempts(request, credentials)
        for attempt in attempts
    ]
    free_at = max(times, default=timezone.now()) + settings.AXES_COOLOFF_TIME
    seconds = max(1.0, (free_at - timezone.now()).total_seconds())
    context = {"minutes": math.ceil(seconds / 60), "free_at": free_at}
    answer = render(request, "account/locked.html", context, status=429)
    answer["Retry-After"] = str(math.ceil(seconds))
    answer["Cache-Control"] = "no-store"
    return answer


def is_locked_out(*, request: HttpRequest, user: User) -> bool:
    """Return whether this account may not try from where the request comes; note it if so."""
    credentials = {"username": user.get_username()}
    if AxesProxyHandler.is_allowed(request, credentials):
        return False
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.axes_credentials = credentials  # type: ignore[attr-defined]
    return True


def count_failure(*, request: HttpRequest, user: User) -> None:
    """Count a wrong one-time code like a wrong password."""
    user_login_failed.send(
        sender=__name__, credentials={"username": user.get_username()}, request=request
    )


def unlock(*, username: str) -> int:
    """Forget every failure of an account; return from how many places they came."""
    counted = _counted_as(username)
    ratelimit.clear(HttpRequest(), action="login_failed", key=counted)
    return AccessAttempt.objects.filter(username=counted).delete()[0]


@receiver(user_locked_out)
def _log_lock(*, username: str, **kwargs: Any) -> None:
    """Tell operators by the account's number: names and addresses stay out of logs."""
    user = User.objects.filter(username__iexact=username).first()
    whose = f"account {user.pk}" if user else "an account that is not there"
    logger.warning("sign-in to %s is locked from one address after wrong tries", whose)
