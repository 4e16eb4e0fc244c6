"""A real browser against a real server, and the annotator's page in a person's words."""

import json
import os
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, Route, expect, sync_playwright

from tests import live
from tests.e2e import chromium

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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=["--no-sandbox"])
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


class AnnotatorPage:
    """One tab with the annotator's page."""

    def __init__(self, context: BrowserContext, url: str, errors: list[str]):
        self.context, self.url, self.errors = context, url, errors
        self.tab: Page = context.new_page()
        self.tab.set_default_timeout(10_000)
        self.tab.on("pageerror", lambda error: errors.append(str(error)))
        self.tab.on("console", self._hear)

    def _hear(self, message) -> None:
        # A request that fails is what many of these tests are about.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    # ---- coming and going

    def open(self) -> "AnnotatorPage":
        self.tab.goto(self.url)
        return self

    def agree(self) -> None:
        """Open the welcome page and start from there."""
        self.open()
        self.tab.get_by_role("button", name="I agree, start").click()

    def begin(self) -> "AnnotatorPage":
        """Come to the first pair, without the way over the welcome page."""
        client = Client()
        client.post(f"{urlsplit(self.url).path}begin/", {"consent": "yes"})
        self.context.add_cookies(
            [{"name": name, "value": each.value, "url": urljoin(self.url, "/")}
             for name, each in client.cookies.items()]
        )  # fmt: skip
        return self.resume()

    def another_tab(self) -> "AnnotatorPage":
        return AnnotatorPage(self.context, self.url, self.errors)

    def resume(self) -> "AnnotatorPage":
        """Load the page (again) and wait for a set of images."""
        self.open()
        self.wait_until_ready()
        return self

    # ---- what is on the screen

    def wait_until_ready(self) -> None:
        self.tab.wait_for_selector("main[data-ready]")

    def wait_until_preloaded(self, pairs: int = 3, images: int | None = None) -> None:
        """Wait until so many images have come since the page was loaded: of pairs, two each."""
        self.tab.wait_for_function(
            """wanted => {
              const names = performance.getEntriesByType("resource").map(each => each.name);
              const images = new Set(names.filter(name => name.includes("/annotate/images/")));
              return images.size >= wanted;
            }""",
            arg=2 * pairs if images is None else images,
        )

    def wait_until_saved(self) -> None:
        expect(self.status).to_have_text("Saved")

    @property
    def assignment(self) -> str:
        """The public id of the pair on the screen."""
        return self.tab.locator("[data-work] input[name=assignment]").input_value()

    @property
    def status(self):
        return self.tab.locator("[data-status]")

    @property
    def count(self):
        return self.tab.locator("[data-count]")

    @property
    def answers(self):
        return self.tab.locator(".answers")

    @property
    def between(self):
        """The words that stand in place of a pair when none is at hand."""
        return self.tab.locator("[data-between-text]")

    @property
    def trouble(self):
        """The words that stand in place of the images when they are not there."""
        return self.tab.locator("[data-trouble-text]")

    def transforms(self) -> list[str]:
        """The zoom and pan of the left and the right image, as the browser computes them."""
        return self.tab.eval_on_selector_all(
            "[data-image]", "images => images.map(image => getComputedStyle(image).transform)"
        )

    # ---- acting

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)

    def answer(self, act: str | Callable[[], None]) -> str:
        """Press a key or act, wait for what comes next, and return the pair that was answered."""
        self.wait_until_ready()
        before = self.assignment
        if callable(act):
            act()
        else:
            self.press(act)
        self.tab.wait_for_function(
            """before => {
              const main = document.querySelector("main");
              const now = document.querySelector("[data-work] input[name=assignment]").value;
              const isPair = now !== before && main.hasAttribute("data-ready");
              return isPair || main.dataset.state !== "judge";
            }""",
            arg=before,
        )
        return before

    def eventually(self, value: Callable[[], object], expected: object) -> None:
        """Wait until the server's side is as expected: answers are sent behind the scenes."""
        for _ in range(200):
            if value() == expected:
                return
            self.tab.wait_for_timeout(25)
        assert value() == expected

    # ---- the network

    def serve_state(self, change: Callable[[dict], dict]) -> None:
        """Let every answer of `next/` be changed on its way."""

        def handle(route: Route) -> None:
            state = route.fetch().json()
            route.fulfill(json=change(state))

        self.tab.route("**/next/*", handle)

    def answer_with(self, pattern: str, status: int, body: dict | None = None) -> None:
        self.tab.route(
            pattern,
            lambda route: route.fulfill(
                status=status, body=json.dumps(body or {}), content_type="application/json"
            ),
        )


@pytest.fixture
def open_page(browser, site):
    """Open the annotator's page of a campaign, each time in a browser profile of its own."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(campaign, **options) -> AnnotatorPage:
        options = {"viewport": {"width": 1280, "height": 800}} | options
        context = browser.new_context(**options)
        contexts.append(context)
        url = site + reverse("annotation:work", args=[campaign.invitation])
        return AnnotatorPage(context, url, errors)

    yield open_page
    for context in contexts:
        context.close()
    wait_until_the_site_rests()
    assert not errors, errors


def wait_until_the_site_rests() -> None:
    """Let requests that a closed page left behind end: emptying the tables would deadlock them."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'"
    )
    rests = 0
    deadline = time.monotonic() + 10
    while rests < 2 and time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(busy)
            rests = 0 if cursor.fetchone()[0] else rests + 1
        time.sleep(0.01)


@pytest.fixture
def annotator(open_page, campaign) -> AnnotatorPage:
    """The page of the usual campaign (4 prompts, both criteria), at its first pair."""
    return open_page(campaign).begin()


@pytest.fixture
def make_campaign(db):
    """Make a campaign and open it; takes what `factories.make_draft` takes."""
    from evalplatform.annotation.services import open_campaign
    from tests import factories

    def make_campaign(**options):
        draft = factories.make_draft(**options)
        open_campaign(campaign=draft)
        return draft

    return make_campaign
