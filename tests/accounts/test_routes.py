"""Every route of signing in: what a stranger and somebody who is signed in get there."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from tests.accounts import sign_in

pytestmark = pytest.mark.django_db
PREFIXES = ("account_", "mfa_", "openid_connect_", "socialaccount_", "accounts:sign_")
RESET = ("1", "no-key")
# GET and POST of a stranger, then of rania, who has no codes. "in": to the sign-in page; "on": to
# where signed-in people belong; "there": to another page of the account.
EXPECTED = {
    "accounts:sign_in": ("200 200", "on on"),
    "accounts:sign_out": ("in in", "200 in"),
    "account_login": ("200 200", "on on"),
    "account_logout": ("in in", "200 in"),
    "account_inactive": ("200 405", "200 405"),
    "account_reauthenticate": ("in in", "200 200"),
    "account_change_password": ("in in", "200 200"),
    "account_set_password": ("in in", "there there"),  # who has one changes it
    "account_reset_password": ("200 200", "200 200"),
    "account_reset_password_done": ("200 405", "200 405"),
    "account_reset_password_from_key": ("200 200", "200 200"),  # says that the key is no good
    "account_reset_password_from_key_done": ("200 405", "200 405"),
    "mfa_index": ("in in", "200 405"),
    "mfa_authenticate": ("in in", "on on"),
    "mfa_reauthenticate": ("in in", "there there"),
    "mfa_activate_totp": ("in in", "200 200"),
    "mfa_deactivate_totp": ("in in", "404 404"),
    "mfa_view_recovery_codes": ("in in", "404 405"),
    "mfa_generate_recovery_codes": ("in in", "200 200"),  # its form says: no codes without an app
    "mfa_download_recovery_codes": ("in in", "404 404"),
    "openid_connect_login": ("404 404", "404 404"),  # no provider is set
    "openid_connect_callback": ("404 404", "404 404"),
    "socialaccount_login_cancelled": ("200 405", "200 405"),
    "socialaccount_login_error": ("401 405", "401 405"),
    "socialaccount_signup": ("in in", "in in"),
}
ARGUMENTS = {"account_reset_password_from_key": RESET} | dict.fromkeys(
    ("openid_connect_login", "openid_connect_callback"), ("organisation",)
)


@pytest.fixture(autouse=True)
def _no_tries_yet(db):
    cache.clear()


def names(patterns, namespace=""):
    """Yield the names of all routes, as `reverse` takes them."""
    for each in patterns:
        if isinstance(each, URLPattern):
            yield f"{namespace}{each.name}"
        else:
            inner = f"{each.namespace}:" if each.namespace else ""
            yield from names(each.url_patterns, namespace + inner)


def got(answer):
    if answer.status_code != 302:
        return str(answer.status_code)
    path = answer["Location"].partition("?")[0]
    if path == reverse("accounts:sign_in"):
        return "in"
    return "there" if path.startswith("/accounts/") else "on"


def test_table_has_every_route():
    found = {each for each in names(get_resolver().url_patterns) if each.startswith(PREFIXES)}
    assert found == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_stranger_and_signed_in_person_get_what_is_written(rania, name):
    url = reverse(name, args=ARGUMENTS.get(name, ()))
    for expected, is_signed_in in zip(EXPECTED[name], (False, True), strict=True):
        answers = []
        for method in ("get", "post"):
            client = Client()
            if is_signed_in:
                sign_in(client)
            answers.append(getattr(client, method)(url))
            assert "no-store" in answers[-1]["Cache-Control"]
        assert " ".join(map(got, answers)) == expected


def test_no_form_is_taken_without_its_token(rania):
    for name in EXPECTED:
        client = Client(enforce_csrf_checks=True)
        client.force_login(rania)
        url = reverse(name, args=ARGUMENTS.get(name, ()))
        assert client.post(url).status_code in (403, 404, 405), name
