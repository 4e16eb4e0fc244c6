"""Single images on the annotator's page: rated, kept or rejected."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.criteria import plan_criterion

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

HEADS = ("composition", "focus", "artefacts")
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def make_single(make_campaign):
    """Make an open campaign of single images; `forms` by criterion slug."""

    def make_single(**forms):
        plans = [
            replace(plan_criterion(slug, form=form), heads=HEADS if form == "keep_reject" else ())
            for slug, form in forms.items()
        ]
        return make_campaign(criteria=plans, prompts=5)

    return make_single


@pytest.fixture
def rater(open_page, make_single):
    return open_page(make_single(visual_appeal="rating")).begin()


@pytest.fixture
def curator(open_page, make_single):
    return open_page(make_single(visual_appeal="keep_reject")).begin()


def stored() -> list[tuple[str, list[str]]]:
    """Answers and marks that stand, oldest first."""
    votes = Vote.objects.filter(retracted_at__isnull=True).order_by("voted_at", "pk")
    return [(vote.answer, vote.marks) for vote in votes]


def answers() -> list[str]:
    return [answer for answer, _ in stored()]


# ---- rating -----------------------------------------------------------------------------------


def test_digit_is_the_rating(rater):
    before = rater.assignment
    rater.press("6", "0", "Enter", "ArrowLeft")
    assert rater.assignment == before
    for digit in "15324":
        rater.answer(digit)
    event = {"key": "2", "code": "Numpad2", "bubbles": True}
    rater.answer(lambda: rater.tab.dispatch_event("body", "keydown", event))
    rater.eventually(answers, ["1", "5", "3", "2", "4", "2"])
    assert Vote.objects.get(answer="5").grades == [5]


def test_rating_buttons_have_words_at_the_ends(rater):
    names = [text.split() for text in rater.answers.locator("button").all_inner_texts()]
    assert names == [["1", "worst"], ["2"], ["3"], ["4"], ["5", "best"]]
    rater.answer(rater.answers.get_by_role("button", name="5 best").click)
    rater.eventually(answers, ["5"])


def test_click_on_a_single_image_answers_nothing(rater):
    rater.tab.locator("[data-image]").click()
    rater.tab.wait_for_timeout(150)
    assert Vote.objects.count() == 0


def test_rating_without_javascript(open_page, make_single):
    annotator = open_page(make_single(visual_appeal="rating"), java_script_enabled=False)
    annotator.agree()
    annotator.answers.get_by_role("button", name="4").click()
    assert answers() == ["4"]


# ---- keep or reject ---------------------------------------------------------------------------


def test_each_key_keeps_rejects_or_is_unsure(curator):
    for key in ("k", "x", "?", "ArrowLeft", "ArrowRight", "ArrowDown"):
        curator.answer(key)
    curator.eventually(answers, ["keep", "reject", "unsure"] * 1 + ["keep", "reject", "unsure"])
    expect(curator.tab.get_by_role("dialog")).to_be_hidden()  # the question mark is an answer here
    curator.press("h")
    expect(curator.tab.get_by_role("dialog", name="Keys and gestures")).to_be_visible()


def test_marks_go_with_the_answer_and_not_with_the_next(curator):
    curator.press("1", "3", "2", "2", "4")
    marked = curator.tab.locator(".head input:checked")
    assert [box.input_value() for box in marked.all()] == ["composition", "artefacts"]
    curator.answer("x")
    assert marked.count() == 0
    curator.answer("k")
    curator.tab.get_by_label("focus").check()
    curator.answer("x")  # with the mark still focused
    curator.eventually(
        stored, [("reject", ["composition", "artefacts"]), ("keep", []), ("reject", ["focus"])]
    )


def test_enter_on_a_mark_answers_nothing(curator):
    curator.tab.get_by_label("focus").focus()
    curator.press("Enter")
    curator.tab.wait_for_timeout(150)
    assert Vote.objects.count() == 0


def test_undo_clears_the_marks(curator):
    curator.press("1")
    answered = curator.answer("x")
    curator.wait_until_saved()
    curator.press("u")
    expect(curator.status).to_contain_text("Undone")
    curator.wait_until_ready()
    assert curator.assignment == answered
    curator.answer("k")
    curator.eventually(stored, [("keep", [])])


def test_marks_given_offline_are_sent_with_their_answer(curator):
    curator.wait_until_preloaded(images=3)
    curator.context.set_offline(True)
    curator.press("1", "2")
    curator.answer("x")
    curator.answer("k")
    expect(curator.status).to_have_text("Offline, 2 queued")
    assert stored() == []
    curator.context.set_offline(False)
    curator.eventually(stored, [("reject", ["composition", "focus"]), ("keep", [])])


def test_curating_by_touch_on_a_phone(open_page, make_single):
    phone = open_page(make_single(visual_appeal="keep_reject"), **PHONE).begin()
    over = phone.tab.evaluate(
        "[document.documentElement.scrollWidth - innerWidth,"
        " document.documentElement.scrollHeight - innerHeight]"
    )
    assert max(over) <= 0
    phone.tab.locator(".head", has_text="artefacts").tap()
    phone.answer(phone.answers.get_by_role("button", name="Reject").tap)
    phone.answer(phone.answers.get_by_role("button", name="Keep").tap)
    phone.eventually(stored, [("reject", ["artefacts"]), ("keep", [])])


def test_keeping_and_rejecting_without_javascript(open_page, make_single):
    annotator = open_page(make_single(visual_appeal="keep_reject"), java_script_enabled=False)
    annotator.agree()
    annotator.tab.get_by_label("focus").check()
    annotator.answers.get_by_role("button", name="Reject").click()
    annotator.answers.get_by_role("button", name="Unsure").click()
    assert stored() == [("reject", ["focus"]), ("unsure", [])]
    annotator.tab.get_by_label("focus").focus()
    annotator.press("Enter")
    annotator.tab.get_by_role("link", name="Back").click()
    assert len(stored()) == 2


# ---- one after another -------------------------------------------------------------------------


def test_page_changes_with_the_form_of_the_criterion(open_page, make_single):
    """Two forms in one campaign: the second is shown from what the page holds already."""
    annotator = open_page(
        make_single(visual_appeal="keep_reject", text_faithfulness="rating")
    ).begin()
    for _ in range(10):
        annotator.answer("k")
    annotator.press("1")  # a rating here, no mark
    annotator.wait_until_saved()
    annotator.eventually(answers, ["keep"] * 10 + ["1"])
    assert annotator.tab.locator("[data-form]").count() == 1
    annotator.wait_until_ready()
    annotator.press("h")
    expect(annotator.tab.get_by_role("dialog")).to_contain_text("Rate it")
    expect(annotator.tab.get_by_role("dialog")).not_to_contain_text("Reject")
