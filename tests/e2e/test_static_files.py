"""What a browser loads of the static files: each once, compressed, and kept for ever."""

import re

import pytest
from django.urls import reverse

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
LOADED = """() => performance.getEntriesByType("resource")
  .filter(each => each.name.includes("/static/"))
  .map(each => ({name: each.name, packed: each.encodedBodySize, size: each.decodedBodySize}))"""


def assert_kept_and_packed(page, answers):
    """Every static file of the page came once, under a hashed name, to be kept, compressed."""
    loaded = page.evaluate(LOADED)
    plain = [re.sub(r"\.[0-9a-f]{12}\.", ".", each["name"]) for each in loaded]
    assert len(plain) == len(set(plain)), "a file was loaded under two names"
    for each, name in zip(loaded, plain, strict=True):
        assert each["name"] != name, f"{name} has no hash"
        if each["size"] > 1500:
            assert each["packed"] < each["size"] / 1.5, f"{name} is not compressed"
    for answer in answers:
        assert "max-age=315360000, public, immutable" in answer.headers["cache-control"]
    return {name.split("/static/")[1] for name in plain}


@pytest.fixture
def answers(page):
    answers = []
    page.on("response", lambda each: answers.append(each) if "/static/" in each.url else None)
    return answers


def test_annotators_page_loads_each_module_once(page, answers, site, campaign):
    page.goto(site + reverse("annotation:work", args=[campaign.invitation]))
    page.get_by_role("button", name="I agree, start").click()
    page.wait_for_selector("main[data-ready]")
    loaded = assert_kept_and_packed(page, answers)
    assert {"js/annotate/page.js", "js/annotate/wire.js", "css/annotate.css"} <= loaded


def test_second_visit_asks_for_no_static_file(page, answers, site, campaign):
    page.goto(site + reverse("annotation:work", args=[campaign.invitation]))
    page.get_by_role("button", name="I agree, start").click()
    page.wait_for_selector("main[data-ready]")
    page.goto("about:blank")
    page.goto(site + reverse("annotation:work", args=[campaign.invitation]))
    page.wait_for_selector("main[data-ready]")
    fetched = page.evaluate(
        """() => performance.getEntriesByType("resource")
          .filter(each => each.name.includes("/static/") && each.transferSize > 0)"""
    )
    assert [each["name"] for each in fetched] == []


def test_figures_script_travels_in_under_half_a_megabyte(page, answers, site, campaign, rania):
    page.goto(site + reverse("reports:dashboard", args=[campaign.slug]))
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/campaigns/{campaign.slug}/")
    page.wait_for_load_state("networkidle")
    assert_kept_and_packed(page, answers)
    assert sum(each["packed"] for each in page.evaluate(LOADED)) < 450_000
