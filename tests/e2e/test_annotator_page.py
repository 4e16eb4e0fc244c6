"""The annotator's page as a person uses it."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Vote

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def work_url(site, campaign):
    return site + reverse("annotation:work", args=[campaign.invitation])


def begin(page, url):
    page.goto(url)
    page.get_by_role("button", name="I agree, start").click()
    wait_for_pair(page)


def wait_for_pair(page):
    page.wait_for_selector("main[data-ready] .pair:not(.loading)")


def assignment_of(page):
    return page.locator("input[name=assignment]").input_value()


def vote_by(page, act):
    """Act, wait until the next pair or the end is shown, and return the vote that was stored."""
    before = assignment_of(page)
    count = Vote.objects.count()
    act()
    page.wait_for_function(
        "before => document.querySelector('input[name=assignment]').value !== before"
        " || document.querySelector('[data-work]').hidden",
        arg=before,
    )
    assert Vote.objects.count() == count + 1
    return Vote.objects.get(assignment__public_id=before)


@pytest.mark.parametrize(
    ("key", "choice"),
    [("ArrowLeft", "left"), ("1", "left"), ("ArrowRight", "right"), ("2", "right"),
     ("ArrowDown", "tie"), ("t", "tie"), ("0", "tie")],
)  # fmt: skip
def test_key_votes(page, work_url, key, choice):
    begin(page, work_url)
    vote = vote_by(page, lambda: page.keyboard.press(key))
    assert vote.choice == choice
    assert vote.response_time_ms is not None


@pytest.mark.parametrize(("name", "choice"), [("Left", "left"), ("Tie", "tie"), ("Right", "right")])
def test_button_votes(page, work_url, name, choice):
    begin(page, work_url)
    button = page.locator(".answers").get_by_role("button", name=name)
    assert vote_by(page, button.click).choice == choice


def test_click_on_an_image_votes_for_it(page, work_url):
    begin(page, work_url)
    image = page.get_by_role("button", name="Right image is better")
    assert vote_by(page, image.click).choice == "right"


def test_stored_outcome_is_the_image_that_was_shown_there(page, work_url):
    begin(page, work_url)
    slot = Assignment.objects.get(public_id=assignment_of(page))
    vote = vote_by(page, lambda: page.keyboard.press("ArrowLeft"))
    assert vote.outcome == ("A" if slot.a_on_left else "B")


def test_whole_campaign_by_keyboard(page, work_url, campaign):
    """Appeal hides the prompt, faithfulness shows it, and the end says thanks."""
    begin(page, work_url)
    prompts = [comparison.prompt.text for comparison in campaign.comparisons.all()]
    for done in range(8):
        wait_for_pair(page)
        expect(page.locator("[data-count]")).to_have_text(f"{done} / 8")
        if done < 4:
            expect(page.locator("h1[data-question]")).to_contain_text("visually appealing")
            expect(page.locator("[data-prompt]")).to_be_hidden()
            assert not any(prompt in page.content() for prompt in prompts)
        else:
            expect(page.locator("h1[data-question]")).to_contain_text("description")
            expect(page.locator("[data-prompt]")).to_be_visible()
            assert page.locator("[data-prompt]").inner_text() in prompts
        vote_by(page, lambda: page.keyboard.press("ArrowRight"))
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    expect(page.locator("[data-count]")).to_have_text("8 / 8")


def test_images_are_equally_large_and_shown_together(page, work_url):
    begin(page, work_url)
    left, right = (
        page.locator(f"[data-image={side}]").bounding_box() for side in ("left", "right")
    )
    assert (left["width"], left["height"]) == (right["width"], right["height"])
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]


def test_keys_do_nothing_while_an_image_is_loading(page, work_url):
    page.goto(work_url)
    page.route("**/images/**/right/", lambda route: None)  # never answers
    page.get_by_role("button", name="I agree, start").click(no_wait_after=True)
    page.wait_for_selector(".pair.loading")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(600)
    assert Vote.objects.count() == 0
    page.unroute_all(behavior="ignoreErrors")


def test_lost_connection_keeps_the_vote_and_sends_it_once(browser, work_url):
    context = browser.new_context()
    page = context.new_page()
    begin(page, work_url)
    context.set_offline(True)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-status]")).to_contain_text("Not saved yet")
    assert Vote.objects.count() == 0
    context.set_offline(False)
    expect(page.locator("[data-count]")).to_have_text("1 / 8", timeout=15_000)
    assert Vote.objects.get().choice == "left"
    context.close()


def test_reload_resumes_at_the_same_pair(page, work_url):
    begin(page, work_url)
    before = assignment_of(page)
    page.reload()
    wait_for_pair(page)
    assert assignment_of(page) == before


def test_page_works_without_javascript(browser, work_url):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(work_url)
    page.get_by_role("button", name="I agree, start").click()
    for _ in range(8):
        page.locator(".answers").get_by_role("button", name="Tie").click()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert Vote.objects.filter(choice="tie", response_time_ms__isnull=True).count() == 8
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_accessibility_rules_hold(browser, work_url, scheme, width):
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 720})
    page = context.new_page()
    page.goto(work_url)
    assert Axe().run(page).response["violations"] == []
    begin(page, work_url)
    assert Axe().run(page).response["violations"] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    context.close()
