"""A real browser against a real server."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests import live

# Playwright's synchronous API runs an event loop in this thread; the tests still use the ORM in
# plain synchronous order.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site() as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, or the one playwright installed."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    yield page
    context.close()
    assert not errors, errors
