"""Rankings on the annotator's page: by keys, by tapping, by dragging and without a script."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Vote
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def make_ranking(make_campaign):
    """Make an open campaign in which so many images are ranked together."""

    def make_ranking(images: int = 3, **options):
        options = {"criteria": ["text_faithfulness"], "prompts": 4} | options
        return make_campaign(arms=images, form="ranking", design="together", **options)

    return make_ranking


@pytest.fixture
def annotator(open_page, make_ranking):
    """At the first of four sets of three images."""
    return open_page(make_ranking()).begin()


def answers() -> list[str]:
    votes = Vote.objects.filter(retracted_at__isnull=True)
    return list(votes.order_by("voted_at", "pk").values_list("answer", flat=True))


def ranks(annotator) -> list[str]:
    """The place that stands on each image, by position; empty where it has none."""
    return annotator.tab.locator("[data-rank]").all_text_contents()


def chips(annotator):
    return annotator.tab.locator(".chip")


def send(annotator):
    return annotator.answers.get_by_role("button", name="Send")


def image(annotator, number: int):
    return annotator.tab.locator("[data-frame] button").nth(number - 1)


# ---- by keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [3, 8])
def test_ranking_takes_one_key_an_image_and_enter(open_page, make_ranking, images):
    annotator = open_page(make_ranking(images)).begin()
    slot = Assignment.objects.get(public_id=annotator.assignment)
    annotator.tab.evaluate(
        "() => { window.keys = 0; addEventListener('keydown', () => { window.keys += 1; }); }"
    )
    annotator.press(*[str(number) for number in range(images, 0, -1)])
    answered = annotator.answer("Enter")
    assert annotator.tab.evaluate("window.keys") == images + 1
    annotator.eventually(answers, [">".join(str(p) for p in reversed(range(images)))])
    vote = Vote.objects.get(assignment__public_id=answered)
    assert [vote.grades[place] for place in slot.order] == list(range(images))


def test_shift_ties_with_the_image_before(annotator):
    annotator.press("3", "Shift+1")
    assert ranks(annotator) == ["=1", "", "=1"]
    annotator.press("2")
    assert ranks(annotator) == ["=1", "2", "=1"]
    annotator.answer("Enter")
    annotator.press("1", "2", "Shift+3")
    annotator.answer("Enter")
    annotator.press("1", "Shift+2", "Shift+3")
    annotator.answer("Enter")
    annotator.eventually(answers, ["2=0>1", "0>1=2", "0=1=2"])


def test_digits_count_by_their_place_on_every_keyboard(annotator):
    """On a French one the digits need Shift, and Shift is our tie."""
    for key, shift in (("&", False), ("é", False), ("3", True)):
        code = {"&": "Digit1", "é": "Digit2", "3": "Digit3"}[key]
        event = {"key": key, "code": code, "shiftKey": shift, "bubbles": True}
        annotator.tab.dispatch_event("body", "keydown", event)
    assert ranks(annotator) == ["1", "=2", "=2"]
    annotator.answer("Enter")
    for number in "321":
        event = {"key": number, "code": f"Numpad{number}", "bubbles": True}
        annotator.tab.dispatch_event("body", "keydown", event)
    annotator.answer("Enter")
    annotator.eventually(answers, ["0>1=2", "2>1>0"])


def test_enter_waits_until_every_image_has_a_place(annotator):
    before = annotator.assignment
    annotator.press("Enter", "1", "Enter", "2", "2", "4", "Enter")
    expect(send(annotator)).to_have_attribute("aria-disabled", "true")
    send(annotator).click(force=True)
    annotator.tab.wait_for_timeout(150)
    assert (annotator.assignment, ranks(annotator)) == (before, ["1", "2", ""])
    annotator.press("3")
    expect(send(annotator)).not_to_have_attribute("aria-disabled", "true")
    annotator.answer("Enter")
    annotator.eventually(answers, ["0>1>2"])


def test_backspace_takes_one_back(annotator):
    annotator.press("1", "Shift+2", "Backspace")
    assert ranks(annotator) == ["1", "", ""]
    annotator.press("Backspace", "Backspace", "3", "2", "1")
    annotator.answer("Enter")
    annotator.eventually(answers, ["2>1>0"])


def test_next_set_starts_without_places(annotator):
    annotator.press("1", "2", "3")
    annotator.answer("Enter")
    assert ranks(annotator) == ["", "", ""]
    assert chips(annotator).count() == 0
    expect(annotator.tab.get_by_text("Press the numbers or tap the images")).to_be_visible()


def test_undo_brings_the_set_back_in_the_order_given_and_the_new_ranking_counts(annotator):
    annotator.press("1", "Shift+3", "2")
    answered = annotator.answer("Enter")
    annotator.wait_until_saved()
    annotator.press("u")
    expect(annotator.status).to_contain_text("Undone")
    annotator.wait_until_ready()
    assert (annotator.assignment, ranks(annotator)) == (answered, ["=1", "2", "=1"])
    expect(chips(annotator).locator("img")).to_have_count(3)
    annotator.press("Backspace", "Backspace", "Backspace", "3", "2", "1")
    annotator.answer("Enter")
    annotator.eventually(answers, ["2>1>0"])


def test_places_are_said_aloud(annotator):
    said = annotator.tab.locator("[data-announce]")
    annotator.press("2")
    expect(said).to_have_text("Image 2: place 1")
    annotator.press("Shift+3")
    expect(said).to_have_text("Image 3: place 1, tied")
    expect(annotator.tab.get_by_role("button", name="Image 3: place 1, tied")).to_be_visible()
    annotator.press("1")
    expect(said).to_have_text("Image 1: place 2 All have a place: Enter sends.")
    annotator.press("Backspace")
    expect(said).to_have_text("Image 1 has no place any more")


def test_whole_set_with_tab_and_enter_alone(annotator):
    """As a switch or a screen reader drives it: no digit is pressed."""
    annotator.press("?", "Escape")
    for number in (2, 1, 3):
        image(annotator, number).focus()
        annotator.press("Enter" if number == 2 else "Space")
    expect(send(annotator)).to_be_focused()
    annotator.answer("Enter")
    annotator.eventually(answers, ["1>0>2"])


# ---- by mouse ---------------------------------------------------------------------------------


def test_clicking_images_in_order_and_enter(annotator):
    image(annotator, 3).click()
    image(annotator, 1).click(modifiers=["Shift"])
    image(annotator, 2).click()
    annotator.answer("Enter")
    annotator.eventually(answers, ["2=0>1"])


def drag(annotator, what, x: float, y: float) -> None:
    box = what.bounding_box()
    mouse = annotator.tab.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(x, y, steps=6)
    mouse.up()


def drop_at(annotator, what, chip: int, share: float) -> None:
    """Drag something to this share of a chip's width."""
    box = chips(annotator).nth(chip).bounding_box()
    drag(annotator, what, box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def test_images_and_places_can_be_dragged(annotator):
    strip = annotator.tab.locator("[data-strip-room]").bounding_box()
    drag(annotator, image(annotator, 2), strip["x"] + 100, strip["y"] + 20)
    assert ranks(annotator) == ["", "1", ""]
    drop_at(annotator, image(annotator, 1), 0, 0.1)  # before it
    assert ranks(annotator) == ["1", "2", ""]
    drop_at(annotator, image(annotator, 3), 1, 0.5)  # beside it
    assert ranks(annotator) == ["1", "=2", "=2"]
    drop_at(annotator, chips(annotator).nth(2), 0, 0.1)  # image 3 to the front
    assert ranks(annotator) == ["2", "3", "1"]
    annotator.answer("Enter")
    annotator.eventually(answers, ["2>0>1"])


def test_place_that_is_dragged_out_is_taken_back(annotator):
    annotator.press("1", "2")
    drag(annotator, chips(annotator).nth(0), 640, 150)
    assert ranks(annotator) == ["", "1", ""]
    chips(annotator).nth(0).click()
    assert ranks(annotator) == ["", "", ""]
    assert Vote.objects.count() == 0


def test_zoom_holds_all_images_and_clicks_place_none(annotator):
    annotator.press("z")
    moved = annotator.transforms()
    assert len(set(moved)) == 1
    assert moved[0] != "none"
    image(annotator, 1).click()
    drag(annotator, image(annotator, 2), 640, 300)
    assert ranks(annotator) == ["", "", ""]
    annotator.press("1", "2", "3")  # keys do
    annotator.answer("Enter")
    annotator.eventually(lambda: Vote.objects.get().zoomed, True)


# ---- by touch ---------------------------------------------------------------------------------


def test_ranking_by_tapping(open_page, make_ranking):
    phone = open_page(make_ranking(4), **PHONE).begin()
    image(phone, 3).tap()
    image(phone, 1).tap()
    image(phone, 1).tap()  # taken back
    assert ranks(phone) == ["", "", "1", ""]
    phone.answers.get_by_role("button", name="Next one ties").tap()
    image(phone, 4).tap()
    image(phone, 2).tap()
    phone.answers.get_by_role("button", name="Take back").tap()
    image(phone, 1).tap()
    chips(phone).nth(1).tap()
    image(phone, 2).tap()
    image(phone, 4).tap()
    assert ranks(phone) == ["2", "3", "1", "4"]
    phone.answer(send(phone).tap)
    phone.eventually(answers, ["2>0>1>3"])


@pytest.mark.parametrize("images", [3, 4, 5, 6, 7, 8])
def test_images_are_equally_large_and_fit_a_laptop_and_a_phone(open_page, make_ranking, images):
    annotator = open_page(make_ranking(images, prompts=1)).begin()
    for width, height, least in ((1280, 720, 100), (1366, 657, 85), (390, 844, 100)):
        annotator.tab.set_viewport_size({"width": width, "height": height})
        boxes = [each.bounding_box() for each in annotator.tab.locator("[data-image]").all()]
        assert {(round(b["width"]), round(b["height"])) for b in boxes} == {
            (round(boxes[0]["width"]), round(boxes[0]["width"]))
        }
        assert boxes[0]["width"] >= least, (width, boxes[0]["width"])
        lowest = annotator.answers.bounding_box()
        assert max(b["y"] + b["height"] for b in boxes) <= lowest["y"]
        assert lowest["y"] + lowest["height"] <= height
        overflow = annotator.tab.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert overflow <= 0


# ---- without a connection, without a script ----------------------------------------------------


def test_rankings_given_offline_are_kept_and_sent_in_order(open_page, make_ranking):
    annotator = open_page(make_ranking(prompts=12)).begin()
    annotator.wait_until_preloaded(images=9)
    annotator.context.set_offline(True)
    annotator.wait_until_ready()  # keys that come sooner are no answer
    annotator.press("1", "2", "3")
    annotator.answer("Enter")
    annotator.wait_until_ready()
    annotator.press("3", "Shift+2", "1")
    annotator.answer("Enter")
    expect(annotator.status).to_have_text("Offline, 2 queued")
    annotator.press("u")
    expect(annotator.status).to_have_text("Offline, 1 queued")  # it is taken back
    annotator.wait_until_ready()
    annotator.press("Backspace", "Backspace", "Backspace")  # it comes back as it was given
    annotator.press("3", "1", "2")
    annotator.answer("Enter")
    assert answers() == []
    annotator.context.set_offline(False)
    annotator.eventually(answers, ["0>1>2", "2>0>1"])


def test_ranking_without_javascript(open_page, make_ranking):
    annotator = open_page(make_ranking(3), java_script_enabled=False)
    annotator.agree()
    tab = annotator.tab
    for number, place in ((1, "2"), (2, "1"), (3, "2")):
        tab.get_by_label(f"Place of image {number}").select_option(place)
    send(annotator).click()
    assert answers() == ["1>0=2"]
    for button in ("Next one ties", "Take back"):
        expect(tab.get_by_role("button", name=button)).to_be_hidden()
    send(annotator).click()  # the browser asks for the places
    assert len(answers()) == 1


# ---- seven and eight images on a phone ---------------------------------------------------------


def hold(annotator, what) -> None:
    """Press and hold something for a moment."""
    box = what.bounding_box()
    annotator.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    annotator.tab.mouse.down()
    expect(annotator.tab.locator("[data-large-dialog]")).to_be_visible()
    annotator.tab.mouse.up()


@pytest.mark.parametrize("images", [7, 8])
def test_image_of_many_is_seen_large_on_a_phone_while_it_is_held(open_page, make_ranking, images):
    phone = open_page(make_ranking(images), **PHONE).begin()
    small = image(phone, 3).bounding_box()["width"]
    hold(phone, image(phone, 3))
    dialog = phone.tab.get_by_role("dialog", name="Image 3")
    shown = dialog.locator("img").bounding_box()
    assert shown["width"] > 2.8 * small
    assert shown["width"] <= 390
    assert_page_is_accessible(phone.tab, f"one of {images} large")
    assert ranks(phone) == [""] * images  # it got no place
    dialog.get_by_role("button", name="Close").tap()
    expect(dialog).to_be_hidden()
    for number in range(images, 0, -1):
        image(phone, number).tap()
    assert ranks(phone) == [str(place) for place in range(images, 0, -1)]
    phone.answer(send(phone).tap)
    phone.eventually(lambda: Vote.objects.get().zoomed, True)


@pytest.mark.parametrize("images", [7, 8])
def test_whole_order_of_many_is_seen_on_a_phone(open_page, make_ranking, images):
    phone = open_page(make_ranking(images), **PHONE).begin()
    for number in range(1, images + 1):
        image(phone, number).tap()
    boxes = [each.bounding_box() for each in chips(phone).all()]
    assert len(boxes) == images
    assert all(box["width"] >= 30 for box in boxes)
    gaps = [after["x"] - before["x"] - before["width"] for before, after in pairwise(boxes)]
    assert min(gaps) >= 9  # the sign between two stands on neither
    room = phone.tab.locator("[data-strip-room]").bounding_box()
    assert boxes[-1]["x"] + boxes[-1]["width"] <= room["x"] + room["width"]
    assert_page_is_accessible(phone.tab, f"{images} ranked on a phone")


def test_eight_images_are_ranked_on_a_phone_without_javascript(open_page, make_ranking):
    phone = open_page(make_ranking(8), java_script_enabled=False, **PHONE)
    phone.agree()
    for number in range(1, 9):
        phone.tab.get_by_label(f"Place of image {number}").select_option(str(9 - number))
    assert phone.tab.locator("[data-image]").first.bounding_box()["width"] >= 140
    send(phone).click()
    phone.eventually(answers, ["7>6>5>4>3>2>1>0"])
