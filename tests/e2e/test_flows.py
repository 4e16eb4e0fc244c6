"""A flow in a real browser: a person waits, is led to a batch, and on; pages are accessible."""

import os

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.flows import services
from tests.e2e.accessibility import assert_page_is_accessible
from tests.flows.conftest import ask, judge, new_flow, opened, person

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def looked_at(page, name: str) -> None:
    assert_page_is_accessible(page, name)
    folder = os.environ.get("SHOTS")
    for scheme in ("light", "dark") if folder else ():
        for width, height in ((375, 740), (1280, 900)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)


def test_somebody_agrees_waits_is_led_on_and_judges(page, site):
    flow = new_flow(k=1)
    page.goto(site + flow.entrance)
    looked_at(page, "flow-welcome")
    page.get_by_role("button", name="I agree, start").click()
    page.get_by_role("heading", name="Nothing to judge right now").wait_for()
    looked_at(page, "flow-waiting")
    opened(flow, 1)
    page.get_by_role("heading", name=flow.criterion["question"]).wait_for()  # by itself
    page.set_viewport_size({"width": 375, "height": 740})
    page.wait_for_selector("main[data-ready]")
    for number in "123":
        page.keyboard.press(number)
    page.keyboard.press("Enter")
    on = page.get_by_role("link", name="Go on to more images")
    on.wait_for()
    looked_at(page, "flow-done")
    opened(flow, 1)
    on.click()
    page.get_by_role("heading", name=flow.criterion["question"]).wait_for()
    services.close_flow(flow=flow, now=timezone.now())
    page.goto(site + flow.entrance)
    page.get_by_role("heading", name="This study has ended").wait_for()


def test_pages_of_flows_are_accessible(page, site, rania):
    flow = new_flow(k=1)
    over = opened(flow)
    judge(flow, person(flow))
    services.settle(batch=over, now=timezone.now())
    services.close_batch(batch=opened(flow), now=timezone.now())
    opened(flow)
    ask(flow, 5)
    page.goto(site + flow.get_absolute_url())
    page.get_by_label("Username").fill("rania")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="taste").wait_for()
    looked_at(page, "flow")
    page.goto(site + reverse("flows:list"))
    looked_at(page, "flows")
    page.goto(site + flow.get_absolute_url())
    page.get_by_text("Close the flow").first.click()
    page.get_by_role("button", name="Close the flow").click()
    page.get_by_text("it takes no more batches").wait_for()
