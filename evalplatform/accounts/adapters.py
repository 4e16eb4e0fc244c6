"""What this site decides where allauth asks: who may come in, and how secrets are kept."""

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse

from evalplatform.accounts.lockout import username_of
from evalplatform.accounts.models import User
from evalplatform.core.addresses import client_network
from evalplatform.core.sealing import seal, unseal
from evalplatform.core.site import site_link

SIGNED_IN_AT = "signed_in_at"  # of the session, in seconds of the epoch
_FRESH_SECONDS = 300
_PURPOSE = "one-time codes"


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by operators: nobody registers."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str) -> bool:
        """Who signed in just now need not prove again who they are."""
        signed_in_at = self.request.session.get(SIGNED_IN_AT, 0)
        if time.time() - signed_in_at < _FRESH_SECONDS:
            return False
        return super().is_reauthentication_required(app=app)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave out of the account's tries from everywhere those that the lock refuses.

        Otherwise one address that goes on trying would keep somebody out from every other one.
        """
        if AxesProxyHandler.is_allowed(request, credentials):
            super().pre_authenticate(request, **credentials)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count an account as the lock does: as one, however it is spelt, at whatever host."""
        return username_of(request, credentials)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_network(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Begin with SITE_URL, where it is set, whatever the request said of its host."""
        uid, _, token = key.partition("-")
        path = reverse("account_reset_password_from_key", args=[uid, token])
        return site_link(path, self.request)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Whom the identity provider may send: known people, or new ones of the right domains."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Tie who comes for the first time to the account of their mail address.

        Addresses of accounts are written by operators alone, so the provider's word that an
        address is verified is all that is missing.
        """
        if sociallogin.is_existing:
            return
        address = _verified_address(sociallogin)
        if address is None:
            raise ImmediateHttpResponse(_refused(request, "no_address", address))
        found = User.objects.filter(email__iexact=address)
        if len(found) == 1:
            sociallogin.connect(request, found[0])
        elif found or not _may_be_new(address):
            raise ImmediateHttpResponse(_refused(request, "unknown", address))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        address = _verified_address(sociallogin)
        return address is not None and _may_be_new(address)


class MfaAdapter(DefaultMFAAdapter):
    """Secrets of one-time codes are unreadable in the database and its backups.

    The key is made of SECRET_KEY; after a change of it the old one belongs into
    SECRET_KEY_FALLBACKS, or people set their codes up anew.
    """

    def get_totp_label(self, user: Any) -> str:
        return user.get_username()

    def encrypt(self, text: str) -> str:
        return seal(text, _PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        # "" fits no code: an operator removes it by `manage.py remove_codes`.
        return unseal(encrypted_text, _PURPOSE) or ""


def _verified_address(sociallogin: SocialLogin) -> str | None:
    return next((each.email for each in sociallogin.email_addresses if each.verified), None)


def _may_be_new(address: str) -> bool:
    return address.rpartition("@")[2].lower() in settings.OIDC_NEW_USERS_FROM


def _refused(request: HttpRequest, why: str, address: str | None) -> Any:
    context = {"why": why, "address": address, "name": settings.OIDC_NAME}
    return render(request, "socialaccount/refused.html", context, status=403)
