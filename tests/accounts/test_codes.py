"""Codes from an authenticator app: optional for people, asked of operators."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from axes.models import AccessAttempt
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.accounts.tokens import create_api_token
from tests.accounts import PASSWORD, sign_in

pytestmark = pytest.mark.django_db
SET_UP = reverse("mfa_activate_totp")
CODE = reverse("mfa_authenticate")


@pytest.fixture(autouse=True)
def _no_tries_yet(db):
    cache.clear()


@pytest.fixture
def olga(db):
    return User.objects.create_superuser("olga", password=PASSWORD)


def code_of(secret):
    """Return the app's code of now: the site still takes it half a minute later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def set_up(client):
    """Do what a person does; return the app's secret and the recovery codes."""
    page = client.get(SET_UP)
    secret = re.search(r'class="secret">([A-Z2-7]+)<', page.content.decode())[1]
    done = client.post(SET_UP, {"code": code_of(secret)})
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    codes = re.findall(r"<li><code>(\w+)</code>", client.get(done["Location"]).content.decode())
    cache.clear()  # a code is used once; the next sign-in of a test comes sooner than a new one
    return secret, codes


def is_signed_in(client):
    return client.get(reverse("mfa_index")).status_code == 200


def test_account_without_codes_needs_none(client, rania):
    sign_in(client)
    assert "Off: the password alone" in client.get(reverse("mfa_index")).content.decode()


def test_code_is_asked_after_the_password_and_used_once(client, rania):
    sign_in(client)
    secret, _ = set_up(client)
    other = Client()
    assert sign_in(other)["Location"] == CODE
    assert not is_signed_in(other)
    assert "Incorrect code" in other.post(CODE, {"code": "000000"}).content.decode()
    code = code_of(secret)
    assert other.post(CODE, {"code": code})["Location"] == reverse("reports:campaign_list")
    assert is_signed_in(other)
    again = Client()
    sign_in(again)
    assert again.post(CODE, {"code": code}).status_code == 200
    assert not is_signed_in(again)


def test_recovery_code_lets_in_once(client, rania):
    sign_in(client)
    _, codes = set_up(client)
    assert len(codes) == 10
    for expected in (True, False):
        other = Client()
        sign_in(other)
        other.post(CODE, {"code": codes[0]})
        assert is_signed_in(other) is expected


def test_wrong_codes_lock_like_wrong_passwords(client, rania):
    sign_in(client)
    secret, _ = set_up(client)
    other = Client()
    sign_in(other)
    for _ in range(4):
        assert other.post(CODE, {"code": "000000"}).status_code == 200
    assert other.post(CODE, {"code": "000000"}).status_code == 429
    assert other.post(CODE, {"code": code_of(secret)}).status_code == 429
    assert not is_signed_in(other)
    assert AccessAttempt.objects.get().failures_since_start == 5


def test_secret_is_unreadable_in_the_database(client, rania, settings):
    sign_in(client)
    secret, _ = set_up(client)
    kept = str(list(Authenticator.objects.values()))
    assert secret not in kept
    # After SECRET_KEY changed, with the old one still listed.
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n3w" * 20
    assert Authenticator.objects.get(type="totp").wrap().validate_code(code_of(secret))
    settings.SECRET_KEY_FALLBACKS = []
    assert not Authenticator.objects.get(type="totp").wrap().validate_code(code_of(secret))


# ---- operators ----------------------------------------------------------------------------------


def test_operators_need_none_by_default_without_https(client, olga, settings):
    assert settings.OPERATORS_NEED_TOTP is False
    sign_in(client, "olga")
    assert client.get("/admin/").status_code == 200


def test_operator_without_codes_is_led_to_set_them_up_and_gets_nowhere_else(client, olga, settings):
    settings.OPERATORS_NEED_TOTP = True
    sign_in(client, "olga")
    for url in ("/admin/", "/campaigns/", "/models/", "/accounts/tokens/", "/plan/"):
        assert client.get(url)["Location"] == SET_UP, url
    assert client.post("/accounts/tokens/", {"label": "x"})["Location"] == SET_UP
    told = client.get("/api/v1/checkpoints", headers={"Accept": "application/json"})
    assert (told.status_code, "one-time codes first" in told.content.decode()) == (403, True)
    assert "asks operators for a code" in client.get(SET_UP).content.decode()
    set_up(client)
    assert client.get("/admin/").status_code == 200
    assert client.get("/campaigns/").status_code == 200


@pytest.mark.parametrize(
    "fields", [{"is_staff": True}, {"is_superuser": True}, {"role": User.Role.OPERATOR}]
)
def test_whoever_may_do_more_is_an_operator(client, rania, settings, fields):
    settings.OPERATORS_NEED_TOTP = True
    sign_in(client)
    assert client.get("/plan/").status_code == 200
    User.objects.update(**fields)
    assert client.get("/plan/")["Location"] == SET_UP


def test_operator_may_still_leave(client, olga, settings):
    settings.OPERATORS_NEED_TOTP = True
    sign_in(client, "olga")
    client.post(reverse("accounts:sign_out"))
    assert not is_signed_in(client)


def test_annotators_pages_ask_for_no_user(client, olga, settings, campaign):
    settings.OPERATORS_NEED_TOTP = True
    sign_in(client, "olga")
    assert client.get(f"/annotate/{campaign.invitation}/").status_code == 200


def test_who_lost_app_and_codes_is_helped_by_command(client, olga, settings, capsys):
    settings.OPERATORS_NEED_TOTP = True
    sign_in(client, "olga")
    set_up(client)
    call_command("remove_codes", "olga")
    assert "signs in without codes now" in capsys.readouterr().out
    other = Client()
    sign_in(other, "olga")
    assert other.get("/admin/")["Location"] == SET_UP
    call_command("remove_codes", "olga")
    assert "had no codes" in capsys.readouterr().out


def test_old_session_proves_again_who_is_there(client, rania):
    sign_in(client)
    session = client.session
    session["signed_in_at"] = time.time() - 301
    session.save()
    answer = client.get(SET_UP)
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    proved = client.post(answer["Location"], {"password": PASSWORD})
    assert proved["Location"] == SET_UP
    assert client.get(SET_UP).status_code == 200


def test_token_of_an_operator_is_not_asked_for_a_code(client, olga, settings):
    settings.OPERATORS_NEED_TOTP = True
    _, secret = create_api_token(
        user=olga, label="nightly", scopes=["read", "models"], now=timezone.now()
    )
    answer = client.get("/api/v1/checkpoints", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
