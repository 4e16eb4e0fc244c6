"""Signing in by an OpenID Connect provider, over HTTP to the end."""

import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.conf import settings as django_settings
from django.core.cache import cache
from django.urls import reverse

from evalplatform.accounts.models import User
from tests import live
from tests.accounts import sign_in
from tests.accounts.provider import CLIENT, provider
from tests.accounts.test_codes import set_up

pytestmark = pytest.mark.django_db
JANE = {"sub": "4711", "email": "jane@lab.example.org", "email_verified": True}
BEGIN = "/accounts/oidc/organisation/login/"


@pytest.fixture(scope="module")
def running():
    with provider() as each:
        yield each


@pytest.fixture
def idp(running, settings, db):
    cache.clear()
    running.claims, running.audience, running.faults = dict(JANE), CLIENT["client_id"], []
    app = {
        "provider_id": "organisation",
        "name": "The Lab",
        "client_id": CLIENT["client_id"],
        "secret": CLIENT["client_secret"],
        "settings": {"server_url": running.address, "oauth_pkce_enabled": True},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    return running


def come(client, begin=BEGIN):
    """Go the whole way: to the provider, and back with what it gave."""
    away = client.get(begin)
    back = requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def who(client):
    return client.get(reverse("mfa_index")).wsgi_request.user.get_username()


def test_button_is_there_only_where_a_provider_is_set(client, idp, settings):
    page = client.get(reverse("accounts:sign_in"), {"next": "/plan/"}).content.decode()
    assert "Sign in with The Lab" in page
    assert f"{BEGIN}?process=login&amp;next=%2Fplan%2F" in page
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert "Sign in with The" not in client.get(reverse("accounts:sign_in")).content.decode()
    assert client.get(BEGIN).status_code == 404


def test_known_person_comes_in_by_their_address_and_stays_known_by_the_provider(client, idp, rania):
    User.objects.update(email="Jane@Lab.example.org")
    assert come(client, f"{BEGIN}?next=/plan/")["Location"] == "/plan/"
    assert who(client) == "rania"
    assert idp.faults == []
    client.logout()
    idp.claims["email"] = "jane.moved@example.net"
    come(client)
    assert who(client) == "rania"
    assert User.objects.get().check_password("a long password")  # it still lets in
    assert SocialToken.objects.count() == 0


def test_session_of_who_came_so_ends_in_time_too(client, idp, rania, settings):
    User.objects.update(email=JANE["email"])
    come(client)
    assert client.session.get_expiry_age() <= settings.SIGNED_IN_SECONDS


def test_stranger_is_told_to_ask_for_an_account(client, idp, rania):
    answer = come(client)
    assert answer.status_code == 403
    assert "no account for jane@lab.example.org" in answer.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "made"),
    [
        ("jane@lab.example.org", 1),
        ("jane@evil-lab.example.org", 0),
        ("jane@lab.example.org.x.de", 0),
    ],
)
def test_new_person_of_a_domain_of_the_settings_gets_an_account(
    client, idp, settings, address, made
):
    settings.OIDC_NEW_USERS_FROM = ["lab.example.org"]
    idp.claims["email"] = address
    come(client)
    assert User.objects.count() == made
    if made:
        user = User.objects.get()
        assert (user.username, user.email) == ("jane", address)
        assert [user.is_staff, user.is_superuser, user.has_usable_password()] == [False] * 3
        assert who(client) == "jane"


def test_new_person_whose_name_is_taken_gets_another(client, idp, rania, settings):
    settings.OIDC_NEW_USERS_FROM = ["lab.example.org"]
    idp.claims |= {"preferred_username": "rania"}
    come(client)
    assert User.objects.count() == 2
    assert who(client) != "rania"


@pytest.mark.parametrize("said", [False, None, "false"])
def test_address_that_is_not_verified_opens_nothing(client, idp, rania, settings, said):
    settings.OIDC_NEW_USERS_FROM = ["lab.example.org"]
    User.objects.update(email=JANE["email"])
    idp.claims["email_verified"] = said
    answer = come(client)
    assert answer.status_code == 403
    assert "verified mail address" in answer.content.decode()
    assert SocialAccount.objects.count() == 0


def test_two_accounts_of_one_address_let_nobody_in(client, idp, rania):
    User.objects.create_user("second")
    User.objects.update(email=JANE["email"])
    assert come(client).status_code == 403


def test_closed_account_stays_closed(client, idp, rania):
    User.objects.update(email=JANE["email"], is_active=False)
    assert "closed" in client.get(come(client)["Location"]).content.decode()
    assert client.get(reverse("mfa_index")).status_code == 302


def test_codes_from_an_app_are_asked_for_after_it(client, idp, rania):
    User.objects.update(email=JANE["email"])
    sign_in(client)
    set_up(client)
    client.logout()
    assert come(client)["Location"] == reverse("mfa_authenticate")


def test_operator_who_came_so_must_set_codes_up(client, idp, rania, settings):
    settings.OPERATORS_NEED_TOTP = True
    User.objects.update(email=JANE["email"], is_staff=True)
    come(client)
    assert client.get("/plan/")["Location"] == reverse("mfa_activate_totp")
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_answer_begun_in_another_browser_or_for_another_client_is_refused(client, idp, rania):
    User.objects.update(email=JANE["email"])
    answer = client.get(f"{BEGIN}callback/", {"code": "x", "state": "y"})
    assert "That did not work" in answer.content.decode()
    idp.audience = "another-client"
    assert "That did not work" in come(client).content.decode()
    assert client.get(reverse("mfa_index")).status_code == 302


def test_who_goes_back_without_agreeing_is_told_so(client, idp):
    state = client.get(BEGIN)["Location"].partition("state=")[2].partition("&")[0]
    back = client.get(f"{BEGIN}callback/", {"error": "access_denied", "state": state}, follow=True)
    assert "went back without signing in" in back.content.decode()


def test_new_person_without_any_address_is_asked_for_none(client, idp, settings):
    settings.OIDC_NEW_USERS_FROM = ["lab.example.org"]
    idp.claims = {"sub": "1"}
    assert come(client).status_code == 403
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"OIDC_ISSUER": "http://login.example.org"}, "must begin with https"),
        ({"OIDC_ISSUER": "https://login.example.org"}, "needs OIDC_CLIENT_ID"),
        (
            {"OIDC_ISSUER": "https://l.example.org", "OIDC_CLIENT_ID": "a",
             "OIDC_CLIENT_SECRET": "b", "OIDC_NEW_USERS_FROM": "@example.org"},
            "must be mail domains",
        ),
    ],
)  # fmt: skip
def test_odd_settings_of_a_provider_are_refused(variables, says):
    result = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env=live.environment(**variables),
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert says in result.stderr
