"""The annotator's page on a phone, with fingers."""

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Release, Vote
from evalplatform.campaigns.criteria import plan_criterion

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PHONE = {
    "viewport": {"width": 375, "height": 667},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def phone(open_page, campaign):
    return open_page(campaign, **PHONE).begin()


class Fingers:
    """Touches by way of the browser's own input, as playwright has only taps."""

    def __init__(self, tab):
        self.session = tab.context.new_cdp_session(tab)

    def __call__(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def scale_and_shift(annotator) -> tuple[float, float]:
    left, right = annotator.transforms()
    assert left == right  # always both
    if left == "none":
        return 1.0, 0.0
    numbers = left.removeprefix("matrix(").rstrip(")").split(", ")
    return float(numbers[0]), float(numbers[4])


def sideways_overflow(annotator) -> int:
    return annotator.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_whole_campaign_by_touch(open_page, make_campaign):
    phone = open_page(make_campaign(prompts=2), **PHONE).open()
    phone.tab.get_by_role("button", name="I agree, start").tap()
    phone.wait_until_ready()
    first = phone.assignment
    phone.answer(phone.answers.get_by_role("button", name="Top").tap)
    phone.eventually(Vote.objects.count, 1)
    phone.tab.get_by_role("button", name="Undo").tap()
    expect(phone.status).to_contain_text("Undone")
    phone.wait_until_ready()
    assert phone.assignment == first
    phone.answer(phone.tab.get_by_role("button", name="Bottom image is better").tap)
    phone.tab.locator("summary", has_text="Skip").tap()
    phone.answer(phone.tab.get_by_role("button", name="I cannot judge it").tap)
    phone.eventually(Release.objects.count, 1)
    while phone.tab.locator("[data-work]").is_visible():
        phone.answer(phone.answers.get_by_role("button", name="Tie").tap)
    expect(phone.tab.get_by_role("heading", name="Thank you!")).to_be_visible()
    phone.eventually(Vote.objects.filter(retracted_at=None, answer="tie").count, 2)


def test_targets_are_large_and_answers_are_in_reach(phone):
    for button in phone.tab.locator("button:visible, summary:visible").all():
        box = button.bounding_box()
        assert box["width"] >= 44, button.inner_text()
        assert box["height"] >= 44, button.inner_text()
    lowest = phone.answers.bounding_box()
    assert lowest["y"] + lowest["height"] <= 667
    assert sideways_overflow(phone) <= 0


def test_answers_stay_in_reach_however_long_the_question(phone):
    phone.tab.eval_on_selector(
        "[data-instructions]", "p => { p.textContent += ' long'.repeat(400); }"
    )
    box = phone.answers.bounding_box()
    assert box["y"] + box["height"] <= 667
    assert phone.answers.get_by_role("button", name="Tie").is_visible()


def test_four_answers_fit_a_phone(open_page, make_campaign):
    plan = plan_criterion("visual_appeal", form="pair_both_neither")
    phone = open_page(make_campaign(criteria=[plan]), **PHONE).begin()
    boxes = [button.bounding_box() for button in phone.answers.locator("button:visible").all()]
    assert [box["y"] for box in boxes] == [boxes[0]["y"]] * 4
    assert min(box["width"] for box in boxes) >= 48
    assert sideways_overflow(phone) <= 0


def test_two_fingers_zoom_both_images_and_one_moves_them(phone):
    frame = phone.tab.locator("[data-image='0']").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    fingers = Fingers(phone.tab)
    fingers("touchStart", (x - 20, y), (x + 20, y))
    for step in (30, 40, 50, 60):
        fingers("touchMove", (x - step, y), (x + step, y))
    fingers("touchEnd")
    phone.eventually(lambda: 2 < scale_and_shift(phone)[0] < 4, True)
    assert phone.tab.evaluate("visualViewport.scale") == 1  # the images, not the page
    _, before = scale_and_shift(phone)
    fingers("touchStart", (x, y))
    for step in (10, 20, 30):
        fingers("touchMove", (x + step, y))
    fingers("touchEnd")
    phone.eventually(lambda: scale_and_shift(phone)[1] > before, True)
    phone.tab.locator("[data-image='0']").tap()
    phone.tab.wait_for_timeout(100)
    assert Vote.objects.count() == 0  # no gesture was an answer
    phone.answer(phone.answers.get_by_role("button", name="Bottom").tap)
    phone.eventually(lambda: Vote.objects.filter(zoomed=True).count(), 1)
    assert scale_and_shift(phone) == (1.0, 0.0)


def test_scrolling_over_the_images_is_no_answer(phone):
    frame = phone.tab.locator("[data-image='0']").bounding_box()
    x, y = frame["x"] + 40, frame["y"] + 120
    before = phone.assignment
    fingers = Fingers(phone.tab)
    fingers("touchStart", (x, y))
    for step in (20, 40, 60):
        fingers("touchMove", (x, y - step))
    fingers("touchEnd")
    phone.tab.wait_for_timeout(150)
    assert phone.assignment == before


def test_phone_on_its_side_shows_both_images_above_the_answers(phone):
    phone.tab.set_viewport_size({"width": 667, "height": 375})
    image = phone.tab.locator("[data-image='0']").bounding_box()
    assert image["y"] + image["height"] <= phone.answers.bounding_box()["y"]
    assert image["height"] >= 130


def test_left_and_top_are_one_answer_whichever_way_the_phone_is_held(phone):
    first, second = (phone.tab.locator(f"[data-image='{at}']") for at in (0, 1))
    assert first.bounding_box()["y"] < second.bounding_box()["y"]
    assert first.get_attribute("alt") == "Top image"
    phone.answer(phone.answers.get_by_role("button", name="Top").tap)
    phone.eventually(Vote.objects.filter(answer="left").count, 1)
    phone.tab.set_viewport_size({"width": 667, "height": 375})
    assert first.bounding_box()["x"] < second.bounding_box()["x"]
    expect(first).to_have_attribute("alt", "Left image")
    assert not phone.answers.get_by_role("button", name="Top").is_visible()
    phone.answer(phone.answers.get_by_role("button", name="Left").tap)
    phone.eventually(Vote.objects.filter(answer="left").count, 2)


def test_rule_keeps_pairs_side_by_side_on_a_phone(open_page, make_campaign):
    campaign = make_campaign(rules={"annotation": {"layout": "side_by_side"}})
    phone = open_page(campaign, **PHONE).begin()
    left, right = (phone.tab.locator(f"[data-image='{at}']").bounding_box() for at in (0, 1))
    assert (left["y"], left["x"] < right["x"]) == (right["y"], True)
    phone.answer(phone.answers.get_by_role("button", name="Left").tap)


def test_instructions_fold_after_the_first_pair_and_come_back_when_called(phone):
    words = phone.tab.locator("[data-instructions]")
    sign = phone.tab.get_by_label("Instructions", exact=True)
    expect(words).to_be_visible()
    small = phone.tab.locator("[data-image='0']").bounding_box()["width"]
    phone.answer(phone.answers.get_by_role("button", name="Tie").tap)
    expect(words).to_be_hidden()
    large = phone.tab.locator("[data-image='0']").bounding_box()["width"]
    assert large > small
    sign.tap()
    expect(words).to_be_visible()
    assert phone.tab.locator("[data-image='0']").bounding_box()["width"] == large  # lies over them
    phone.press("Escape")
    expect(words).to_be_hidden()
    phone.resume()
    expect(words).to_be_hidden()  # remembered
