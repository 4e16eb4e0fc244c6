"""Signing in and an account's pages in a browser: axe finds nothing, and the way is walked."""

import os
import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import default_project
from evalplatform.webhooks.models import WebhookEndpoint
from tests.accounts import PASSWORD
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SHOTS")


def look(page, name):
    """Let axe look; keep pictures where SHOTS names a folder."""
    assert_page_is_accessible(page, name)
    for scheme in ("light", "dark") if SHOTS else ():
        page.emulate_media(color_scheme=scheme)
        for kind, width in (("wide", 1280), ("phone", 390)):
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=f"{SHOTS}/{name}-{scheme}-{kind}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})


def sign_in(page, password=PASSWORD):
    page.fill("[name=username]", "rania")
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Sign in").click()


def code_of(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.fixture(autouse=True)
def _no_tries_yet(transactional_db):
    cache.clear()


def test_person_sets_up_codes_and_signs_in_with_one(page, site, rania):
    page.goto(f"{site}{reverse('mfa_index')}")
    look(page, "sign-in")
    sign_in(page)
    page.wait_for_url("**/security/")
    look(page, "account-without-codes")
    page.get_by_role("link", name="Set up an app").click()
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 100  # the CSP lets it
    look(page, "set-up-codes")
    secret = page.locator("code.secret").inner_text()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_selector(".errorlist")
    look(page, "set-up-codes-wrong")
    page.get_by_label("Code").fill(code_of(page.locator("code.secret").inner_text()))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/recovery-codes/")
    look(page, "recovery-codes")
    recovery = page.locator(".codes code").first.inner_text()
    page.get_by_role("link", name="They are kept").click()
    look(page, "account-with-codes")
    page.get_by_role("link", name="Change the password").click()
    look(page, "change-password")
    page.get_by_text("rania", exact=True).click()
    page.get_by_role("link", name="One-time codes").click()
    page.get_by_role("link", name="Stop asking for codes").click()
    look(page, "stop-codes")
    page.get_by_text("rania", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page)
    page.wait_for_url("**/security/code/**")
    look(page, "code")
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/campaigns/")
    assert secret
    assert Authenticator.objects.count() == 2


def test_locked_person_is_told_until_when(browser, site, rania):
    page = browser.new_page()
    page.goto(f"{site}{reverse('accounts:sign_in')}")
    sign_in(page, "wrong")
    page.wait_for_selector(".errorlist")
    look(page, "wrong-password")
    for _ in range(4):
        sign_in(page, "wrong")
    page.wait_for_selector("h1:text('Too many wrong tries')")
    assert re.search(r"Try again in 1[45] minutes", page.inner_text("main"))
    look(page, "locked")
    page.get_by_role("link", name="Password forgotten?").click()
    look(page, "no-mail")
    page.close()


def test_link_leads_to_a_new_password(page, site, rania, capsys):
    call_command("password_link", "rania")
    path = capsys.readouterr().out.strip().partition("/accounts/")[2]
    page.goto(f"{site}/accounts/{path}")
    look(page, "new-password")
    page.locator("[name=password1]").fill("short")
    page.locator("[name=password2]").fill("short")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_selector(".errorlist")
    look(page, "new-password-short")
    page.locator("[name=password1]").fill("another long phrase")
    page.locator("[name=password2]").fill("another long phrase")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_selector("h1:text('The password is changed')")
    look(page, "new-password-done")
    page.get_by_role("link", name="To the sign-in page").click()
    sign_in(page, "another long phrase")
    page.wait_for_url("**/campaigns/")
    page.goto(f"{site}/accounts/{path}")
    look(page, "new-password-used")


def test_what_is_pressed_twice_is_sent_once(page, site, rania):
    """Else the secret would be of an answer that nobody sees."""
    hook = "https://1.1.1.1/hook"
    page.goto(f"{site}{reverse('webhooks:list', args=[default_project().name])}")
    sign_in(page)
    page.get_by_label("Address").fill(hook)
    page.locator("[name=events]").first.check()
    with transaction.atomic():
        Project.objects.select_for_update().get()  # the site takes its time
        page.get_by_role("button", name="Add").evaluate(
            "button => { button.click(); setTimeout(() => button.click(), 150); }"
        )
        page.wait_for_timeout(400)
    page.get_by_role("heading", name=hook).wait_for()
    assert page.get_by_role("textbox", name="Secret").input_value().startswith("whsec_")
    page.go_back()
    page.get_by_label("Address").fill(f"{hook}/2")
    page.locator("[name=events]").first.check()
    page.get_by_role("button", name="Add").click()  # on the page as it was left
    page.get_by_role("heading", name=f"{hook}/2").wait_for()
    assert WebhookEndpoint.objects.count() == 2
