"""Doors as people meet them: two browsers, and many people at once before several processes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from django.urls import reverse
from django.utils import timezone

from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import invite
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
PROLIFIC = "?PROLIFIC_PID=5f1e0a&STUDY_ID=study1&SESSION_ID=session1"


@contextmanager
def a_browser(browser):
    """A browser of its own: no cookie of another."""
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    yield tab
    context.close()


def address_of(site, campaign) -> str:
    return site + reverse("annotation:work", args=[campaign.invitation])


def agree(tab) -> None:
    tab.get_by_role("button", name="I agree, start").click()
    tab.wait_for_selector("main[data-ready]")


def pair_on(tab) -> str:
    return tab.locator("[data-work] input[name=assignment]").input_value()


def test_known_id_proves_itself_by_the_link_that_the_first_browser_shows(
    site, browser, make_campaign
):
    campaign = make_campaign(rules={"annotation": {"door": "crowd"}})
    address = address_of(site, campaign)
    with a_browser(browser) as first, a_browser(browser) as second:
        first.goto(address)
        first.wait_for_selector('[data-door="crowd"]')
        assert_page_is_accessible(first, "crowd door")
        first.goto(address + PROLIFIC)
        agree(first)
        second.goto(address + PROLIFIC)
        second.wait_for_selector('[data-door="elsewhere"]')
        assert_page_is_accessible(second, "known elsewhere")

        first.keyboard.press("h")
        with first.context.expect_page() as opened:
            first.get_by_role("link", name="Go on in another browser").click()
        shown = opened.value
        link = shown.get_by_label("Your personal link").input_value()
        assert_page_is_accessible(shown, "personal link")

        second.get_by_label("Your personal link").fill(link)
        second.get_by_role("button", name="Go on").click()
        second.wait_for_selector("main[data-ready]")
        assert "key=" not in second.url
        assert pair_on(second) == pair_on(first)
    assert Enrolment.objects.count() == 1


def test_two_people_share_a_computer_and_each_has_an_invitation(site, browser, make_campaign):
    campaign = make_campaign(rules={"annotation": {"door": "invitations"}})
    address = address_of(site, campaign)
    made = invite(campaign=campaign, labels=["", ""], now=timezone.now())
    with a_browser(browser) as tab:
        tab.goto(f"{address}?invite={made[0][1]}")
        agree(tab)
        first = pair_on(tab)
        tab.goto(f"{address}?invite={made[1][1]}")
        assert_page_is_accessible(tab, "somebody else here")
        tab.get_by_role("button", name="Somebody else").click()
        agree(tab)
        assert pair_on(tab) != first
    assert Enrolment.objects.filter(invitation__isnull=False).count() == 2


def test_limit_holds_across_the_processes_of_the_site(site, make_campaign):
    """Sixty at once before two processes of four threads: exactly as many as the limit begin."""
    address = address_of(site, make_campaign())

    def begin(_: int) -> int:
        with requests.Session() as visitor:
            visitor.get(address, timeout=60)
            token = {"csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
            answer = visitor.post(address + "begin/", data=token, allow_redirects=False, timeout=60)
        return answer.status_code

    with ThreadPoolExecutor(max_workers=12) as pool:
        answers = Counter(pool.map(begin, range(60)))
    assert answers == {302: 40, 429: 20}
    assert Enrolment.objects.count() == 40
