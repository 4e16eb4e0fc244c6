"""What follows on a sign-in and on a new password."""

import time
from typing import Any

from allauth.account.signals import password_reset
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from evalplatform.accounts.adapters import SIGNED_IN_AT
from evalplatform.accounts.lockout import unlock
from evalplatform.accounts.models import User


@receiver(user_logged_in)
def _date_session(*, request: HttpRequest, **kwargs: Any) -> None:
    """Let it end in time, also where no form was filled in, as with an identity provider."""
    request.session.set_expiry(settings.SIGNED_IN_SECONDS)
    request.session[SIGNED_IN_AT] = time.time()


@receiver(password_reset)
def _unlock_whom_a_link_let_in(*, user: User, **kwargs: Any) -> None:
    unlock(username=user.get_username())
