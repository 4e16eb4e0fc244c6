"""Images that are slow or broken: never a vote on half a pair, never an endless wait."""

from functools import partial

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Release, Vote
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def newcomer(open_page, campaign):
    """Somebody who has not agreed yet, so that the first pair can be met with trouble."""
    return open_page(campaign)


def test_nothing_is_shown_or_answered_until_both_images_are_there(newcomer):
    held_back = []
    let_go = []
    newcomer.tab.route(
        "**/images/**/1/",
        lambda route: route.continue_() if let_go else held_back.append(route),
    )
    newcomer.agree()
    expect(newcomer.trouble).to_have_text("Loading the images…")
    newcomer.press("ArrowLeft")
    hidden = "images => images.map(image => getComputedStyle(image).visibility)"
    assert newcomer.tab.eval_on_selector_all("[data-image]", hidden) == ["hidden", "hidden"]
    let_go.append(True)
    for route in held_back:
        route.continue_()
    newcomer.wait_until_ready()
    assert newcomer.tab.eval_on_selector_all("[data-image]", hidden) == ["visible", "visible"]
    expect(newcomer.trouble).to_be_hidden()
    assert Vote.objects.count() == 0


def test_image_that_fails_is_tried_again(newcomer):
    tries = []

    def fail_twice(route):
        tries.append(route)
        if len(tries) <= 2:
            route.abort()
        else:
            route.continue_()

    newcomer.tab.route("**/images/**/0/", fail_twice)
    newcomer.agree()
    newcomer.wait_until_ready()
    assert newcomer.tab.locator("[data-trouble]").is_hidden()


def test_broken_image_can_be_tried_again_or_skipped(newcomer):
    newcomer.tab.clock.install()
    newcomer.tab.route("**/images/**/0/", lambda route: route.fulfill(status=404))
    newcomer.agree()
    expect(newcomer.trouble).to_have_text("An image did not load. Trying again…")
    exhaust_the_tries(newcomer)
    newcomer.press("ArrowRight")
    newcomer.tab.get_by_role("button", name="Try again").click()
    exhaust_the_tries(newcomer)
    newcomer.tab.unroute("**/images/**/0/")
    broken = newcomer.assignment
    newcomer.tab.get_by_role("button", name="Skip: image broken").click()
    newcomer.wait_until_ready()
    newcomer.eventually(Release.objects.count, 1)
    release = Release.objects.get()
    assert (str(release.assignment.public_id), release.reason) == (broken, "broken_image")
    assert Vote.objects.count() == 0


def exhaust_the_tries(annotator):
    """Let the back-off pass quickly until the page gives up on the image."""
    gave_up = "An image does not load."
    for _ in range(60):
        if annotator.trouble.inner_text() == gave_up:
            return
        annotator.tab.clock.run_for(500)
    expect(annotator.trouble).to_have_text(gave_up)


def test_images_that_take_very_long_offer_a_way_out(newcomer):
    newcomer.tab.clock.install()
    newcomer.tab.route("**/images/**", lambda route: None)
    newcomer.agree()
    expect(newcomer.trouble).to_have_text("Loading the images…")
    newcomer.tab.clock.run_for(25_000)
    expect(newcomer.trouble).to_have_text("The images take long to load.")
    expect(newcomer.tab.get_by_role("button", name="Skip: image broken")).to_be_visible()
    newcomer.tab.unroute_all(behavior="ignoreErrors")


def test_first_pair_comes_alone_then_the_near_ones_then_one_after_another(open_page, make_campaign):
    newcomer = open_page(make_campaign(criteria=["visual_appeal"], prompts=40, k=1))
    held_back = []
    newcomer.tab.route("**/images/**", lambda route: held_back.append(route))
    newcomer.agree()
    for pairs in (1, 2, 1, 1, 1, 1, 1):
        newcomer.eventually(lambda: len({each.request.url for each in held_back}), 2 * pairs)
        newcomer.tab.wait_for_timeout(100)
        assert len({each.request.url for each in held_back}) == 2 * pairs  # and no more
        while held_back:
            held_back.pop().continue_()
    newcomer.wait_until_ready()


def test_pair_whose_preload_failed_is_loaded_when_its_turn_comes(annotator):
    annotator.wait_until_preloaded()
    annotator.tab.route("**/images/**", lambda route: route.abort())
    annotator.answer("ArrowRight")  # the pairs after the next two are asked for now, in vain
    annotator.tab.wait_for_timeout(300)
    annotator.tab.unroute("**/images/**")
    for _ in range(3):
        annotator.answer("ArrowRight")
    annotator.eventually(Vote.objects.count, 4)


def test_phone_loads_small_copies_and_whole_images_for_a_closer_look(
    open_page, make_campaign, monkeypatch
):
    monkeypatch.setattr(factories, "make_image", partial(factories.make_image, size=600))
    campaign = make_campaign(
        prompts=1, criteria=["visual_appeal"], rules={"annotation": {"delivery": "webp"}}
    )
    window = {"viewport": {"width": 375, "height": 667}, "device_scale_factor": 2}
    newcomer = open_page(campaign, **window)
    asked = []
    newcomer.tab.on(
        "request", lambda each: asked.append(each.url) if "/annotate/images/" in each.url else None
    )
    newcomer.begin()
    assert [url.rpartition("/")[2] for url in asked] == ["?width=384"] * 2
    widths = "images => images.map(each => each.naturalWidth)"
    shown = newcomer.tab.locator("[data-image]")
    assert shown.evaluate_all(widths) == [384, 384]
    newcomer.press("z")
    expect(shown.first).to_have_js_property("naturalWidth", 600)
    assert shown.evaluate_all(widths) == [600, 600]
