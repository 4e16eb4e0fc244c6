"""Captions on the annotator's page: written by one, approved by another."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Vote
from evalplatform.campaigns.criteria import plan_criterion
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
FOX = "A red fox in fresh snow, seen from the side."
PHONE = {
    "viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True,
    "device_scale_factor": 2,
}  # fmt: skip


@pytest.fixture
def make_asked(make_campaign):
    def make_asked(criterion, form):
        return make_campaign(criteria=[plan_criterion(criterion, 1, form)], prompts=4)

    return make_asked


@pytest.fixture
def writer(open_page, make_asked):
    return open_page(make_asked("image_caption", "caption")).begin()


def box(annotator):
    return annotator.tab.get_by_label("Your description")


def stored() -> list[str]:
    votes = Vote.objects.filter(retracted_at__isnull=True).order_by("voted_at", "pk")
    return list(votes.values_list("answer", flat=True))


def look(annotator, name: str) -> None:
    """Take pictures of the page, where a folder for them is named."""
    folder = os.environ.get("SCREENSHOTS")
    for width, height in ((1280, 800), (375, 667)) if folder else ():
        for scheme in ("light", "dark"):
            annotator.tab.emulate_media(color_scheme=scheme)
            annotator.tab.set_viewport_size({"width": width, "height": height})
            annotator.tab.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png")


def write(annotator, words: str) -> None:
    box(annotator).fill(words)
    annotator.answer(lambda: annotator.press("Control+Enter"))


def test_caption_is_written_with_the_keyboard_alone(writer):
    expect(box(writer)).to_be_focused()
    writer.tab.keyboard.type("A red fox,\nuh, in snow: zoom, skip, undo?")  # letters are no keys
    writer.answer(lambda: writer.press("Control+Enter"))
    expect(box(writer)).to_have_value("")
    expect(box(writer)).to_be_focused()
    write(writer, "x" * 1000)
    writer.eventually(stored, ["A red fox, uh, in snow: zoom, skip, undo?", "x" * 1000])
    assert_page_is_accessible(writer.tab, "caption")
    look(writer, "caption")


def test_what_is_no_caption_is_not_sent_and_says_why(writer):
    room = writer.tab.locator("[data-room]")
    send = writer.answers.get_by_role("button", name="Send")
    before = writer.assignment
    for words, told in (
        ("", "1000 characters left"), ("  \n ", "1000 characters left"),
        ("x" * 1002, "2 characters too many"), ("a\u202efox", "a sign in it that cannot be seen"),
    ):  # fmt: skip
        box(writer).fill(words)
        expect(room).to_contain_text(told)
        expect(send).to_have_attribute("aria-disabled", "true")
        writer.press("Control+Enter")
    writer.tab.wait_for_timeout(100)
    assert (writer.assignment, stored()) == (before, [])
    assert_page_is_accessible(writer.tab, "caption too long")
    look(writer, "caption-too-long")


def test_refused_caption_comes_back_with_its_words(writer):
    """All of its words are the prompt's, which the writer does not see: the server alone knows."""
    asked = writer.assignment
    words = Assignment.objects.get(public_id=asked).item.image_set.prompt_text
    box(writer).fill(words)
    writer.press("Control+Enter")
    expect(writer.status).to_contain_text("refused")
    writer.tab.wait_for_function(
        "asked => document.querySelector('[data-work] input[name=assignment]').value === asked",
        arg=asked,
    )
    expect(box(writer)).to_have_value(words)
    writer.wait_until_ready()
    write(writer, FOX)
    writer.eventually(stored, [FOX])


def test_draft_survives_a_reload_and_undo_brings_the_text_back(writer):
    box(writer).fill("A half-written")
    writer.resume()
    expect(box(writer)).to_have_value("A half-written")
    asked = writer.assignment
    write(writer, FOX)
    writer.wait_until_saved()
    writer.tab.get_by_role("button", name="Undo").click()
    expect(writer.status).to_contain_text("Undone")
    writer.wait_until_ready()
    assert writer.assignment == asked
    expect(box(writer)).to_have_value(FOX)
    write(writer, f"{FOX} Trees behind.")
    writer.eventually(stored, [f"{FOX} Trees behind."])


def test_captions_written_offline_are_sent_later(writer):
    writer.wait_until_preloaded(images=3)
    writer.context.set_offline(True)
    write(writer, FOX)
    write(writer, f"{FOX} Again.")
    expect(writer.status).to_have_text("Offline, 2 queued")
    assert stored() == []
    writer.context.set_offline(False)
    writer.eventually(stored, [FOX, f"{FOX} Again."])


def test_writing_on_a_phone(open_page, make_asked):
    phone = open_page(make_asked("image_caption", "caption"), **PHONE).begin()
    assert phone.tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    expect(box(phone)).not_to_be_focused()  # the keyboard would cover the image
    box(phone).fill(FOX)
    phone.answer(phone.answers.get_by_role("button", name="Send").tap)
    phone.eventually(stored, [FOX])


def test_caption_without_javascript(open_page, make_asked):
    plain = open_page(make_asked("image_caption", "caption"), java_script_enabled=False)
    plain.agree()
    box(plain).fill("A red fox\nin fresh snow.")
    plain.answers.get_by_role("button", name="Send").click()
    assert stored() == ["A red fox in fresh snow."]
    box(plain).fill("x" * 1001)
    plain.answers.get_by_role("button", name="Send").click()
    expect(plain.tab.get_by_text("1,001 characters")).to_be_visible()
    assert len(stored()) == 1


def test_approving_shows_the_caption_and_takes_keys(open_page, make_asked):
    reader = open_page(make_asked("caption_truth", "approve")).begin()
    expect(reader.tab.locator("[data-prompt]")).to_be_visible()
    look(reader, "approve")
    reader.tab.set_viewport_size({"width": 1280, "height": 800})
    for key in ("a", "x", "ArrowLeft", "ArrowRight"):
        reader.answer(key)
    reader.eventually(stored, ["approve", "reject", "approve", "reject"])


def test_approving_is_accessible_and_works_without_javascript(open_page, make_asked):
    campaign = make_asked("caption_truth", "approve")
    assert_page_is_accessible(open_page(campaign).begin().tab, "approve")
    plain = open_page(campaign, java_script_enabled=False)
    plain.agree()
    plain.answers.get_by_role("button", name="Approve").click()
    plain.answers.get_by_role("button", name="Reject").click()
    assert stored() == ["approve", "reject"]
