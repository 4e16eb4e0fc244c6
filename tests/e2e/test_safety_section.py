"""The safety section of the dashboard, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from evalplatform.accounts.models import Annotator
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dashboard(filtered, tmp_path):
    """The offline dashboard of a campaign with filtered prompts, one of them long."""
    long = "a very long prompt of a photograph of many things on a table, " * 6
    with factories.thawed():
        Prompt.objects.filter(text="apple").update(text=long)
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(filtered, people, lambda slot: "left" if slot.slot % 2 else "tie")
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(filtered)))
    return file.as_uri()


@pytest.mark.parametrize(
    "screen",
    [
        {"viewport": {"width": 375, "height": 720}, "color_scheme": "light"},
        {"viewport": {"width": 375, "height": 720}, "color_scheme": "dark"},
        {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
        {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    ],
)
def test_section_fits_the_screen_and_is_accessible(browser, dashboard, screen):
    context = browser.new_context(**screen)
    page = context.new_page()
    page.goto(dashboard)
    page.wait_for_selector("#figure-net .main-svg", state="attached")
    tile = page.locator(".tile", has_text="Prompts filtered as unsafe")
    assert "of 8" in tile.inner_text()
    tile.get_by_role("link", name="4", exact=True).click()
    assert page.url.endswith("#safety")
    section = page.locator("#safety")
    section.get_by_text("1 for A, 2 for B, 1 for both").wait_for()
    section.locator("summary").click()
    section.get_by_text("a very long prompt").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    results = Axe().run(page, context={"exclude": [[".plot-area"]]}).response
    assert [each["id"] for each in results["violations"]] == []
    context.close()
