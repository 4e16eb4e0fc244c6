"""The dashboard as a researcher sees it, on the site and as an offline file."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.reports.dashboard import offline_dashboard
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
FIGURES = ("figure-net", "figure-votes", "figure-verdicts")


@pytest.fixture
def voted(campaign):
    annotators = [Annotator.objects.create(is_simulated=True) for _ in range(6)]
    factories.judge_everything(
        campaign, annotators, lambda slot: "left" if slot.slot % 2 else "tie"
    )
    return campaign


def assert_figures_are_drawn(page):
    for name in FIGURES:
        page.wait_for_selector(f"#{name} .main-svg", state="attached")
        assert "SIMULATED" in page.locator(f"#{name} .annotation-text").first.inner_html()


def test_researcher_signs_in_and_reads(page, site, voted, rania):
    page.goto(site + reverse("reports:dashboard", args=[voted.slug]))
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/campaigns/{voted.slug}/")
    assert_figures_are_drawn(page)
    assert page.locator("text=SIMULATED").count() >= 2
    violations = Axe().run(page, context={"exclude": [[".plot-area"]]}).response["violations"]
    assert [each["id"] for each in violations] == []
    page.set_viewport_size({"width": 375, "height": 720})
    page.reload()
    assert_figures_are_drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name=voted.slug).wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_offline_file_draws_its_figures_and_fetches_nothing(browser, voted, tmp_path, scheme):
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(voted)))
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert_figures_are_drawn(page)
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_phone_shows_the_dashboard_without_sideways_scrolling(browser, voted, tmp_path):
    file = tmp_path / "dashboard.html"
    file.write_text(offline_dashboard(campaign_results(voted)))
    context = browser.new_context(viewport={"width": 375, "height": 720})
    page = context.new_page()
    page.goto(file.as_uri())
    assert_figures_are_drawn(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    context.close()
