"""The planning page as a researcher uses it."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def sign_in(page, site):
    page.goto(site + "/plan/")
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/plan/")


def test_fields_of_a_row_stand_in_line_where_one_of_them_is_wrong(page, site, rania):
    page.set_viewport_size({"width": 1280, "height": 900})
    sign_in(page, site)
    page.goto(site + "/plan/?effect=0&number=0&power=200")
    page.locator(".errorlist").first.wait_for()
    tops = page.evaluate(
        """() => [...document.querySelectorAll(".fields")].map(row => {
          const columns = getComputedStyle(row).gridTemplateColumns.split(" ").length;
          const rows = [];
          row.querySelectorAll("input, select").forEach((field, index) => {
            const top = Math.round(field.getBoundingClientRect().top);
            (rows[Math.floor(index / columns)] ??= []).push(top);
          });
          return rows;
        }).flat()"""
    )
    assert [row for row in tops if len(set(row)) > 1] == []
    assert max(len(row) for row in tops) > 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_researcher_plans_a_campaign(page, site, rania, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, site)
    page.get_by_label("Net preference to find, %").fill("12")
    page.get_by_label("What is limited").select_option("annotators")
    page.get_by_label("How many").fill("60")
    page.get_by_role("button", name="Plan").click()
    page.get_by_role("heading", name="The answer").wait_for()
    assert page.get_by_label("How many").input_value() == "60"
    assert "annotators judge, nothing below" in page.locator("main").inner_text()
    violations = Axe().run(page).response["violations"]
    assert [each["id"] for each in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
