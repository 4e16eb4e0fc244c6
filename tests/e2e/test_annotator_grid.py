"""Several images on one screen: each is kept or rejected by itself, and is a vote of its own."""

from collections import Counter

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Release, Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from tests import factories
from tests.e2e.accessibility import assert_page_is_accessible
from tests.e2e.test_annotator_captions import PHONE, look

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
COUNT = 60  # images: of 30 prompts, two arms each


@pytest.fixture
def make_grid(make_campaign):
    def make_grid(grid=12, **rules):
        plan = plan_criterion("visual_appeal", 1, "keep_reject")
        rules = {"annotation": {"grid": grid, "break_every": 0, **rules}}
        return make_campaign(criteria=[plan], prompts=COUNT // 2, rules=rules)

    return make_grid


@pytest.fixture
def curator(open_page, make_grid):
    page = open_page(make_grid()).begin()
    expect(tiles(page)).to_have_count(12)
    page.wait_until_ready()
    return page


def tiles(annotator):
    return annotator.tab.locator("[data-frame]")


def said(annotator) -> list[str]:
    return [each.get_attribute("data-answer") for each in tiles(annotator).all()]


def standing() -> Counter:
    return Counter(Vote.objects.filter(retracted_at__isnull=True).values_list("answer", flat=True))


def total() -> int:
    return sum(standing().values())


def test_each_image_is_a_vote_of_its_own(curator):
    curator.press("x", "ArrowRight", "?", "ArrowDown", "x", "x", "ArrowUp", "ArrowRight", "x")
    assert said(curator)[:3] == ["reject", "unsure", "reject"]
    assert Counter(said(curator)) == {"keep": 9, "reject": 2, "unsure": 1}
    curator.answer("Enter")
    curator.eventually(standing, Counter(keep=9, reject=2, unsure=1))
    votes = list(Vote.objects.all())
    assert len({vote.assignment_id for vote in votes}) == 12
    assert len({vote.response_time_ms for vote in votes}) == 1  # its share of the page's time
    assert said(curator) == ["keep"] * len(said(curator))
    assert_page_is_accessible(curator.tab, "grid")
    look(curator, "grid")


def test_whole_campaign_is_judged_once_and_no_vote_is_lost(curator):
    for _ in range(COUNT):
        if curator.tab.locator("main").get_attribute("data-state") != "judge":
            break
        curator.wait_until_ready()
        curator.answer("Enter")
    curator.eventually(total, COUNT)
    per_item = Counter(Vote.objects.values_list("assignment__item", flat=True))
    assert set(per_item.values()) == {1}
    assert not Assignment.objects.pending().exists()


def test_grid_judged_offline_is_sent_when_the_line_is_back(curator):
    curator.context.set_offline(True)
    curator.press("x", "Enter")
    expect(curator.status).to_have_text("Offline, 12 queued")
    assert total() == 0
    curator.context.set_offline(False)
    curator.eventually(standing, Counter(keep=11, reject=1))


def test_undo_brings_the_last_image_back_into_the_grid(curator):
    curator.answer("Enter")
    curator.wait_until_saved()
    curator.eventually(total, 12)
    curator.press("u")
    expect(curator.status).to_contain_text("Undone")
    curator.wait_until_ready()
    curator.press("x")
    curator.answer("Enter")
    curator.eventually(lambda: (total() > 12, standing()["reject"]), (True, 1))


def test_skip_passes_over_the_image_one_is_at(curator):
    curator.press("x", "ArrowRight")
    at = curator.tab.locator(".at")
    expect(at).to_have_count(1)
    curator.press("s")
    curator.tab.get_by_role("button", name="I cannot judge it").click()
    curator.eventually(Release.objects.count, 1)
    curator.wait_until_ready()
    assert said(curator)[0] == "reject"  # what was said of the others stays
    assert total() == 0


def test_tapping_on_a_phone_goes_on_from_keep_to_reject_to_unsure(open_page, make_grid):
    phone = open_page(make_grid(grid=6), **PHONE).begin()
    expect(tiles(phone)).to_have_count(6)
    phone.wait_until_ready()
    assert phone.tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tiles(phone).nth(1).tap()
    tiles(phone).nth(2).tap()
    tiles(phone).nth(2).tap()
    assert said(phone) == ["keep", "reject", "unsure", "keep", "keep", "keep"]
    phone.answer(phone.answers.get_by_role("button", name="Send all").tap)
    phone.eventually(standing, Counter(keep=4, reject=1, unsure=1))


def test_grid_without_javascript(open_page, make_grid):
    plain = open_page(make_grid(grid=4), java_script_enabled=False)
    plain.agree()
    expect(plain.tab.locator(".tile-choices")).to_have_count(4)
    plain.tab.get_by_role("group", name="Image 2").get_by_label("Reject").check()
    plain.answers.get_by_role("button", name="Send all").click()
    assert standing() == Counter(keep=3, reject=1)
    plain.answers.get_by_role("button", name="Send all").click()
    assert total() == 8


def test_examples_of_the_guideline_stand_beside_the_image(open_page, db):
    plan = plan_criterion("visual_appeal", 1, "keep_reject")
    campaign = factories.make_draft(criteria=[plan], prompts=4)
    factories.add_gold(campaign, "example", 2)
    open_campaign(campaign=campaign)
    page = open_page(campaign).begin()
    beside = page.tab.get_by_role("complementary", name="Examples")
    expect(beside.get_by_role("img")).to_have_count(2)
    expect(beside).to_contain_text("Rejected One of them is noise.")
    look(page, "examples")
    assert_page_is_accessible(page.tab, "examples")
    page.tab.set_viewport_size({"width": 1280, "height": 720})  # the tools lie beside the answers
    page.tab.get_by_role("button", name="Zoom").click()
    page.tab.set_viewport_size({"width": 390, "height": 844})
    expect(beside).to_be_hidden()
