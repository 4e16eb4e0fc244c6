"""How large images are shown on real screens: they get the room that controls do not need."""

from dataclasses import replace

import pytest
from PIL import Image

from evalplatform.campaigns.criteria import plan_criterion
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
# The least side in CSS pixels of images that are 1024 px large by nature, once the instructions of
# the first set are folded: (width, height) of the window, then a pair, ..., as below.
FORMS = ("pair", "pair_both_neither", "ranking", "rating", "keep_reject")
SCREENS = {
    (1366, 657): (500, 500, 430, 500, 500),  # a browser's window on a laptop of 1366 x 768
    (1280, 720): (560, 560, 390, 560, 560),
    (1920, 1080): (780, 780, 590, 780, 700),
    (2560, 1440): (1020, 1020, 800, 1020, 1020),
    (768, 1024): (365, 365, 320, 700, 620),
    (667, 375): (265, 265, 200, 265, 200),
    (375, 667): (225, 225, 170, 355, 340),
    (390, 844): (310, 310, 180, 370, 370),
}


def large(seed: int) -> Image.Image:
    image = Image.new("RGB", (1024, 1024), (seed * 40 % 256, seed // 256 % 256, 90))
    image.paste((200, 200, 60), (256, 256, 768, 768))
    return image


@pytest.mark.parametrize("form", FORMS)
def test_images_are_as_large_as_the_screen_allows(open_page, make_campaign, monkeypatch, form):
    monkeypatch.setattr(factories, "make_image", large)
    plan = replace(
        plan_criterion("visual_appeal", form=form),
        heads=("focus", "anatomy", "text or watermark") if form == "keep_reject" else (),
    )
    many = {"arms": 3, "design": "together"} if form == "ranking" else {}
    annotator = open_page(make_campaign(criteria=[plan], prompts=2, **many)).begin()
    answer(annotator, form)
    found = {}
    for (width, height), least in SCREENS.items():
        annotator.tab.set_viewport_size({"width": width, "height": height})
        boxes = [box.bounding_box() for box in annotator.tab.locator("[data-image]").all()]
        assert len({round(box["width"]) for box in boxes}) == 1
        lowest = max(box["y"] + box["height"] for box in boxes)
        answers = annotator.answers.bounding_box()
        assert lowest <= answers["y"] + 1, (width, height)
        assert answers["y"] + answers["height"] <= height + 1, (width, height)
        assert annotator.tab.evaluate("document.documentElement.scrollWidth") <= width
        found[width, height] = round(boxes[0]["width"]), least[FORMS.index(form)]
    assert {screen: pair for screen, pair in found.items() if pair[0] < pair[1]} == {}


def answer(annotator, form: str) -> None:
    keys = {"ranking": ["1", "2", "3", "Enter"], "rating": ["4"], "keep_reject": ["k"]}
    *before, last = keys.get(form, ["ArrowLeft"])
    annotator.press(*before)
    annotator.answer(last)


QUESTION = "Which of these images would you rather hang on a wall, all things considered, and keep?"


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_nothing_lies_over_questions_and_buttons(open_page, make_campaign, locale):
    """The page of a question that has no translation, and is long, runs in another direction."""
    plan = replace(
        plan_criterion("overall_preference", form="ranking"), question=QUESTION, translations={}
    )
    campaign = make_campaign(criteria=[plan], prompts=1, arms=3, design="together")
    annotator = open_page(campaign, locale=locale).begin()
    for width, height in ((667, 375), (375, 667), (1920, 1080)):
        annotator.tab.set_viewport_size({"width": width, "height": height})
        parts = annotator.tab.evaluate(BOXES)
        for at, (name, one) in enumerate(parts):
            for other_name, other in parts[at + 1 :]:
                assert apart(one, other), (width, height, name, other_name)


# Of the words of the question, the sign of the instructions, every tool and every answer.
BOXES = """() => {
  const words = document.createRange();
  words.selectNodeContents(document.querySelector("[data-question]"));
  const box = each => {
    const found = each.getBoundingClientRect();
    return [found.left, found.top, found.right, found.bottom];
  };
  const pressed = [...document.querySelectorAll(".unfold summary, .tools > *, .answers button")];
  const shown = pressed.filter(each => each.checkVisibility());
  return [["question", box(words)], ...shown.map(each => [each.textContent.trim(), box(each)])];
}"""


def apart(one, other) -> bool:
    """Whether two boxes (left, top, right, bottom; CSS px) share at most two pixels' width."""
    return (
        one[2] <= other[0] + 2 or other[2] <= one[0] + 2
        or one[3] <= other[1] + 2 or other[3] <= one[1] + 2
    )  # fmt: skip
