"""The tabs of a campaign of many arms: each two arms by category, criteria beside each other."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import exclude
from evalplatform.checkpoints.models import Checkpoint
from tests.e2e.accessibility import assert_page_is_accessible
from tests.e2e.test_dashboard import LONG, sign_in
from tests.reports.test_criteria_beside import BOTH
from tests.reports.test_galleries import voted

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

OF_GALLERIES = {
    "pair": ("Every pair of arms", "Before the end", "By category and challenge"),
    "rating": ("grades of single images", "By category and challenge"),
}
OF_ORDER = {"pair": ("places", "order-effect"), "rating": ("order-effect",)}


def excluded_from(form):
    """A campaign of four arms with long names and two criteria, whose last annotator is out."""
    campaign = voted(form, prompts=4, k=2, people=3, criteria=BOTH)
    for arm in campaign.contenders:
        name = LONG.format(arm.letter.lower())
        Checkpoint.objects.filter(pk=arm.checkpoint_id).update(name=name)
    last = Enrolment.objects.order_by("pk").last()
    exclude(enrolment=last, rule="gold", detail="1 of 6", now=timezone.now())
    return campaign


@pytest.mark.parametrize("form", OF_GALLERIES)
def test_results_of_many_arms_are_accessible_with_all_that_opens(page, site, rania, form):
    campaign = excluded_from(form)
    sign_in(page, site + reverse("reports:results", args=[campaign.slug]))
    for heading in (*OF_GALLERIES[form], "The arms in one criterion beside another"):
        page.get_by_role("heading", name=heading).first.wait_for()
    open_everything(page)
    page.get_by_text("Every two arms in every group").first.wait_for()
    assert_page_is_accessible(page, f"results, {form}")
    assert_numbers_are_on_the_screen(page)
    page.goto(site + reverse("reports:people", args=[campaign.slug]))
    page.get_by_role("heading", name="With and without the excluded votes").wait_for()
    open_everything(page)
    assert_page_is_accessible(page, f"people, {form}")
    assert_numbers_are_on_the_screen(page)
    page.goto(site + reverse("reports:quality", args=[campaign.slug]))
    page.get_by_role("heading", name="Early and late votes").wait_for()
    assert_page_is_accessible(page, f"quality, {form}")
    page.set_viewport_size({"width": 375, "height": 720})
    for name in OF_ORDER[form]:
        assert page.locator(f"#{name} td").evaluate_all(
            "cells => cells.every(each => each.getBoundingClientRect().right <= innerWidth)"
        )


def open_everything(page):
    page.evaluate(
        "document.querySelectorAll('main section details').forEach(each => each.open = true)"
    )


def assert_numbers_are_on_the_screen(page):
    """On a phone no number needs a push to the side, but of the matrix, which is a square."""
    page.set_viewport_size({"width": 375, "height": 720})
    outside = page.evaluate(
        """() => [...document.querySelectorAll("main table:not(.heat) td")].filter(cell => {
          const box = cell.getBoundingClientRect();
          return box.width && (box.left < 0 || box.right > innerWidth);
        }).map(cell => cell.textContent)"""
    )
    assert outside == []
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_results_of_many_arms_are_whole_and_readable_on_paper(page, site, rania, scheme):
    campaign = excluded_from("pair")
    sign_in(page, site + reverse("reports:results", args=[campaign.slug]))
    page.get_by_role("heading", name="How alike the votes are").first.wait_for()
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with Chromium's margins
    page.emulate_media(media="print", color_scheme=scheme)
    open_everything(page)
    cut = page.evaluate(
        """() => [...document.querySelectorAll("main table:not(.heat) :is(td, th)")].filter(
          each => each.getBoundingClientRect().right > innerWidth
        ).map(each => each.textContent)"""
    )
    assert cut == []
    said = page.evaluate(
        """() => {
          const of = (name, key) => getComputedStyle(document.querySelector(name))[key];
          return {ink: of("main h1", "color"), paper: of("body", "backgroundColor"),
                  letter: of(".arm", "printColorAdjust"), bar: of(".appbar", "display")};
        }"""
    )
    assert said == {
        "ink": "rgb(29, 31, 33)", "paper": "rgb(255, 255, 255)", "letter": "exact", "bar": "none",
    }  # fmt: skip


def test_number_of_images_at_a_time_is_named_on_a_phone(page, site, rania):
    page.set_viewport_size({"width": 375, "height": 720})
    campaign = excluded_from("pair")
    sign_in(page, site + reverse("reports:results", args=[campaign.slug]))
    heading = page.get_by_role("heading", name="How alike the votes are").first
    row = heading.locator("xpath=following-sibling::div[1]").locator("tbody th").first
    assert row.evaluate("each => getComputedStyle(each, '::before').content") == (
        '"Images at a time: "'
    )
