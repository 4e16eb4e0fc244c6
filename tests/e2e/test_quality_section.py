"""The data-quality section of the dashboard, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import exclude
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dashboard(campaign, tmp_path):
    """The offline dashboard of a campaign with an excluded annotator whose slots are open."""
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(campaign, people, lambda slot: "left" if slot.slot % 2 else "tie")
    enrolment = campaign.enrolments.first()
    reason = "Said that the screen had been broken for most of the session, " * 3
    exclude(enrolment=enrolment, rule="manual", detail=reason, now=timezone.now())
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(campaign)))
    return file.as_uri()


@pytest.mark.parametrize(
    "screen",
    [
        {"viewport": {"width": 375, "height": 720}, "color_scheme": "light"},
        {"viewport": {"width": 375, "height": 720}, "color_scheme": "dark"},
        {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    ],
)
def test_section_fits_the_screen_and_is_accessible(browser, dashboard, screen):
    context = browser.new_context(**screen)
    page = context.new_page()
    page.goto(dashboard)
    page.wait_for_selector("#figure-net .main-svg", state="attached")
    page.locator("#people summary").click()
    page.get_by_role("heading", name="Excluded annotators").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    results = Axe().run(page, context={"exclude": [[".plot-area"]]}).response
    assert [each["id"] for each in results["violations"]] == []
    page.locator(".tile", has_text="Excluded votes").get_by_role("link", name="8").click()
    assert page.url.endswith("#excluded")
    context.close()
