"""Signing in, being locked out, and new passwords."""

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts import forms
from evalplatform.accounts.models import ApiToken, User
from evalplatform.accounts.tokens import create_api_token
from tests.accounts import PASSWORD, sign_in

pytestmark = pytest.mark.django_db
SIGN_IN = reverse("accounts:sign_in")
NEW = "another long phrase"


@pytest.fixture(autouse=True)
def _no_tries_yet(db):
    cache.clear()


def fail(client, times, username="rania", **extra):
    for _ in range(times):
        answer = sign_in(client, username, "wrong", **extra)
    return answer


def is_signed_in(client):
    return client.get(reverse("accounts:api_tokens")).status_code == 200


def test_right_password_lets_in_and_leads_on(client, rania):
    assert sign_in(client)["Location"] == reverse("reports:campaign_list")
    assert is_signed_in(client)


def test_wrong_password_says_so_in_plain_words(client, rania):
    answer = fail(client, 1)
    assert answer.status_code == 200
    assert "not correct" in answer.content.decode()
    assert not is_signed_in(client)


def test_hostile_next_is_not_followed(client, rania):
    answer = client.post(
        SIGN_IN, {"username": "rania", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert answer["Location"] == reverse("reports:campaign_list")


def test_session_ends_after_the_days_of_the_settings(client, rania, settings):
    sign_in(client)
    assert client.session.get_expiry_age() <= settings.SIGNED_IN_SECONDS == 7 * 24 * 3600


def test_nobody_registers(client):
    assert client.get("/accounts/signup/").status_code == 404
    assert client.post("/accounts/oidc-new/", {"username": "x"}).status_code in (302, 404)
    assert User.objects.count() == 0


# ---- locking out --------------------------------------------------------------------------------


def test_fifth_wrong_password_locks_and_says_until_when(client, rania):
    assert fail(client, 4).status_code == 200
    answer = fail(client, 1)
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    page = answer.content.decode()
    assert "Try again in 15 minutes" in page
    assert re.search(r"at \d\d:\d\d UTC", page)
    # The right password too, from here; a browser without cookies too.
    assert sign_in(client).status_code == 429
    assert sign_in(Client()).status_code == 429
    assert not is_signed_in(client)


def test_lock_is_seen_by_every_process(client, rania):
    """It stands in the database: nothing of it is in this process's memory."""
    fail(client, 5)
    assert AccessAttempt.objects.get().failures_since_start == 5


def test_account_is_locked_for_the_address_that_failed_alone(client, rania):
    fail(client, 5, REMOTE_ADDR="192.0.2.1")
    assert sign_in(client, REMOTE_ADDR="192.0.2.2").status_code == 302


def test_tries_while_locked_keep_nobody_out_elsewhere(client, rania, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "8/h/key"}
    fail(client, 20, REMOTE_ADDR="192.0.2.1")
    assert sign_in(client, REMOTE_ADDR="192.0.2.2").status_code == 302


def test_tries_from_everywhere_are_bounded_until_an_operator_unlocks(client, rania, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "8/h/key"}
    names = ["rania", "Rania", " rania", "raniA"] * 2
    for number, name in enumerate(names):
        host = ("localhost", "127.0.0.1")[number % 2]
        fail(client, 1, name, REMOTE_ADDR=f"192.0.2.{number}", headers={"Host": host})
    assert "Too many failed" in sign_in(client, REMOTE_ADDR="192.0.2.99").content.decode()
    call_command("unlock_sign_in", "rania")
    assert sign_in(client, REMOTE_ADDR="192.0.2.99").status_code == 302


def test_other_spellings_of_a_name_are_one_account(client, rania):
    for name in ("Rania", "RANIA", " rania", "rania", "rAnia"):
        answer = fail(client, 1, name)
    assert answer.status_code == 429


def test_address_that_tries_many_accounts_is_locked_for_all(client, rania):
    for number in range(49):
        assert fail(client, 1, f"name{number}").status_code == 200
    assert fail(client, 1, "name49").status_code == 429
    assert sign_in(client).status_code == 429


def test_own_success_does_not_clear_an_address(client, rania):
    for number in range(49):
        fail(client, 1, f"name{number}")
    assert sign_in(client).status_code == 302
    client.logout()
    assert fail(client, 1, "name49").status_code == 429


def test_neighbours_of_an_ipv6_network_count_as_one(client, rania):
    for number in range(5):
        answer = fail(client, 1, REMOTE_ADDR=f"2001:db8::{number + 1}")
    assert answer.status_code == 429


def test_address_comes_from_the_proxy_where_there_is_one(client, rania, settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    fail(client, 5, headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1"})
    assert AccessAttempt.objects.get().ip_address == "192.0.2.1"
    claimed = {"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}
    assert sign_in(client, headers=claimed).status_code == 429


def test_header_of_a_proxy_is_not_believed_where_there_is_none(client, rania):
    for number in range(5):
        answer = fail(client, 1, headers={"X-Forwarded-For": f"192.0.2.{number}"})
    assert answer.status_code == 429


def test_lock_ends_by_itself_and_is_not_prolonged_by_trying(client, rania):
    fail(client, 5)
    fail(client, 20)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert "Try again in 1 minute." in sign_in(client).content.decode()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert sign_in(client).status_code == 302


def test_success_forgets_earlier_failures(client, rania):
    for _ in range(3):
        fail(client, 4)
        assert sign_in(client).status_code == 302
        client.logout()


def test_operator_unlocks_by_command(client, rania, capsys):
    fail(client, 5)
    call_command("unlock_sign_in", "rania")
    assert "rania may try again" in capsys.readouterr().out
    assert sign_in(client).status_code == 302
    call_command("unlock_sign_in", "rania")
    assert "no wrong tries" in capsys.readouterr().out
    with pytest.raises(CommandError, match="known: rania"):
        call_command("unlock_sign_in", "nobody")


def test_what_is_kept_of_a_try_holds_no_password(client, rania):
    fail(client, 1)
    kept = AccessAttempt.objects.values().get()
    assert "wrong" not in str(kept)


def test_closed_account_is_told_nothing_it_could_not_know(client, rania):
    User.objects.update(is_active=False)
    assert sign_in(client).status_code == 200
    assert not is_signed_in(client)


# ---- the admin's door ---------------------------------------------------------------------------


def test_admin_has_no_door_of_its_own(client, rania):
    answer = client.get("/admin/login/", {"next": "/admin/"})
    assert answer["Location"].startswith(SIGN_IN)
    posted = client.post("/admin/login/", {"username": "rania", "password": PASSWORD})
    assert posted["Location"].startswith(SIGN_IN)
    assert not is_signed_in(client)


def test_admin_is_closed_to_researchers_and_its_password_page_is_ours(client, rania):
    sign_in(client)
    assert client.get("/admin/login/").status_code == 403
    moved = client.get("/admin/password_change/")
    assert moved["Location"] == reverse("account_change_password")


# ---- a new password -----------------------------------------------------------------------------


def change(client, old=PASSWORD, new=NEW, **extra):
    form = {"oldpassword": old, "password1": new, "password2": new} | extra
    return client.post(reverse("account_change_password"), form)


def test_new_password_ends_every_other_session(client, rania):
    other = Client()
    for each in (client, other):
        sign_in(each)
    assert change(client)["Location"] == reverse("mfa_index")
    assert is_signed_in(client)
    assert not is_signed_in(other)
    client.logout()
    assert sign_in(client).status_code == 200
    assert sign_in(client, password=NEW).status_code == 302


def test_new_password_needs_the_old_one_and_to_be_a_good_one(client, rania):
    sign_in(client)
    for old, new in [("wrong", NEW), (PASSWORD, "short"), (PASSWORD, "password123")]:
        assert change(client, old, new).status_code == 200
    assert User.objects.get().check_password(PASSWORD)


def test_tokens_outlive_a_password_unless_their_person_says_otherwise(client, rania):
    sign_in(client)
    assert "Revoke" not in client.get(reverse("account_change_password")).content.decode()
    create_api_token(user=rania, label="nightly", scopes=["read", "models"], now=timezone.now())
    page = client.get(reverse("account_change_password")).content.decode()
    assert "Revoke the API token of this account too" in page
    change(client)
    assert ApiToken.objects.get().revoked_at is None
    change(client, NEW, PASSWORD, revoke_tokens="on")
    assert ApiToken.objects.get().revoked_at


def test_password_changes_with_its_tokens_or_not_at_all(client, rania, monkeypatch):
    sign_in(client)
    create_api_token(user=rania, label="nightly", scopes=["read", "models"], now=timezone.now())

    def killed(**given):
        raise RuntimeError("killed")

    monkeypatch.setattr(forms, "revoke_every_token", killed)
    with pytest.raises(RuntimeError, match="killed"):
        change(client, revoke_tokens="on")
    assert User.objects.get().check_password(PASSWORD)


def reset_link(capsys):
    call_command("password_link", "rania")
    return capsys.readouterr().out.strip()


def test_link_of_the_command_sets_a_password_once(client, rania, capsys, settings):
    settings.SITE_URL = "https://eval.example.org"
    fail(client, 5)
    create_api_token(user=rania, label="nightly", scopes=["read", "models"], now=timezone.now())
    other = Client()
    other.force_login(rania)
    link = reset_link(capsys)
    assert link.startswith("https://eval.example.org/accounts/password/new/")
    path = link.removeprefix("https://eval.example.org")
    entered = client.get(path)
    assert entered["Location"].endswith("-set-password/")  # no key in the address bar
    page = client.get(entered["Location"]).content.decode()
    assert re.search(r"name=.revoke_tokens.[^>]*checked", page)
    form = {"password1": NEW, "password2": NEW, "revoke_tokens": "on"}
    assert client.post(entered["Location"], form).status_code == 302
    assert ApiToken.objects.get().revoked_at
    assert not is_signed_in(other)
    assert sign_in(client, password=NEW).status_code == 302  # and no lock is left
    assert "no longer good" in Client().get(path).content.decode()


def test_link_ends_after_a_day(client, rania, capsys, settings):
    path = reset_link(capsys).partition("8000")[2]
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "no longer good" in client.get(path).content.decode()


def test_without_a_mail_server_the_page_says_who_makes_a_link(client, rania):
    page = client.get(reverse("account_reset_password")).content.decode()
    assert "sends no mail" in page
    assert "manage.py password_link" in page
    client.post(reverse("account_reset_password"), {"email": "rania@example.org"})
    assert mail.outbox == []


def test_with_a_mail_server_a_link_is_mailed_to_who_has_an_account(client, rania, settings):
    settings.EMAIL_HOST = "mail.example.org"
    settings.SITE_URL = "https://eval.example.org"
    User.objects.update(email="rania@example.org")
    told = set()
    for address in ("rania@example.org", "nobody@example.org"):
        answer = client.post(reverse("account_reset_password"), {"email": address}, follow=True)
        told.add(answer.content)
    assert len(told) == 1  # nothing tells who has an account
    (sent,) = mail.outbox
    assert sent.to == ["rania@example.org"]
    path = re.search(r"https://eval\.example\.org(/\S+)", sent.body)[1]
    assert client.get(path).status_code == 302


def test_every_page_of_an_account_is_there(client, rania):
    sign_in(client)
    for name in ("mfa_index", "account_change_password", "mfa_activate_totp", "account_logout"):
        assert client.get(reverse(name)).status_code == 200
