"""Every component in a real browser: axe finds nothing, and each can be worked by keys."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def styleguide(page, site, rania):
    page.goto(site + reverse("core:styleguide"))
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Style page").wait_for()
    return page


def test_components_are_accessible_and_work(styleguide):
    page = styleguide
    assert_page_is_accessible(page, "style page")
    page.set_viewport_size({"width": 2560, "height": 1200})
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_text("Menu", exact=True).click()
    assert page.get_by_role("link", name="Campaigns").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Campaigns").is_visible()

    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_text("Close…").click()
    dialog = page.get_by_role("dialog")
    assert "266 votes are missing" in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    assert page.get_by_role("dialog").count() == 0

    page.locator(".pair-card a").first.click()
    viewer = page.get_by_role("dialog")
    assert viewer.locator(".frame img").count() == 2
    page.keyboard.press("z")
    shifts = viewer.locator(".frame img").evaluate_all(
        """images => images.map(image => {
          const {a, e, f} = new DOMMatrix(getComputedStyle(image).transform);
          return [a, e, f];
        })"""
    )
    assert shifts[0] == pytest.approx(shifts[1], abs=0.05)  # browsers split pixels in 64ths
    assert shifts[0][0] > 1
    page.keyboard.press("z")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert viewer.locator(".frame img").count() == 4
    page.keyboard.press("Escape")
    # The browser tells that a dialog has closed in a task of its own, after the key's.
    expect(page.locator(".pair-card:nth-child(3) a")).to_be_focused()

    page.get_by_role("searchbox", name="Search annotators").fill("annotator-07")
    page.wait_for_url("**q=annotator-07**")
    assert page.locator("#table-rows tbody tr").count() == 1
