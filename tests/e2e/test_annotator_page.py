"""The annotator's page as a person at a desk uses it: keys first, mouse second."""

import re
import time

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Release, Vote
from evalplatform.campaigns.criteria import plan_criterion

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def vote_of(assignment: str) -> Vote:
    return Vote.objects.get(assignment__public_id=assignment, retracted_at__isnull=True)


def votes_that_stand() -> int:
    return Vote.objects.filter(retracted_at__isnull=True).count()


def answers(annotator) -> list[str]:
    """The stored answers, oldest first, once nothing is on its way any more."""
    annotator.wait_until_saved()
    votes = Vote.objects.filter(retracted_at__isnull=True)
    return list(votes.order_by("voted_at").values_list("answer", flat=True))


# ---- answering --------------------------------------------------------------------------------


def test_each_key_gives_its_answer(open_page, make_campaign):
    annotator = open_page(make_campaign(criteria=["visual_appeal"], prompts=10)).begin()
    for key in ("ArrowLeft", "1", "ArrowRight", "2", "ArrowDown", "t", "0"):
        annotator.answer(key)
    for code, key in (("Numpad4", "4"), ("Numpad6", "6")):
        event = {"key": key, "code": code, "bubbles": True}
        annotator.answer(lambda e=event: annotator.tab.dispatch_event("body", "keydown", e))
    annotator.eventually(votes_that_stand, 9)
    assert answers(annotator) == [
        "left", "left", "right", "right", "tie", "tie", "tie", "left", "right",
    ]  # fmt: skip


def test_four_answer_scheme_has_both_and_neither(open_page, make_campaign):
    plan = plan_criterion("visual_appeal", form="pair_both_neither")
    annotator = open_page(make_campaign(criteria=[plan], prompts=6)).begin()
    visible = annotator.answers.locator("button:visible")
    assert [text.strip("←↑↓→ \n") for text in visible.all_inner_texts()] == [
        "Left", "Both", "Neither", "Right",
    ]  # fmt: skip
    before = annotator.assignment
    annotator.press("t", "0")  # no tie here
    assert annotator.assignment == before
    for key in ("ArrowUp", "b", "ArrowDown", "n"):
        annotator.answer(key)
    annotator.eventually(votes_that_stand, 4)
    assert answers(annotator) == ["both", "both", "neither", "neither"]


def test_buttons_and_images_answer_when_clicked(annotator):
    for name in ("Left", "Tie", "Right"):
        annotator.answer(annotator.answers.get_by_role("button", name=name).click)
    annotator.answer(annotator.tab.get_by_role("button", name="Right image is better").click)
    annotator.eventually(votes_that_stand, 4)
    assert answers(annotator) == ["left", "tie", "right", "right"]


def test_stored_grades_are_of_the_images_that_were_shown_there(annotator):
    slot = Assignment.objects.get(public_id=annotator.assignment)
    answered = annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    assert vote_of(answered).grades == [int(place == slot.order[0]) for place in (0, 1)]


def test_vote_tells_time_window_and_zoom(annotator):
    annotator.tab.wait_for_timeout(200)
    first = annotator.answer("ArrowLeft")
    annotator.press("z")
    second = annotator.answer("ArrowRight")
    annotator.eventually(votes_that_stand, 2)
    vote = vote_of(first)
    assert 450 <= vote.response_time_ms < 5000  # the lock of 300 ms, then ours
    assert (vote.viewport_width, vote.viewport_height, vote.pixel_ratio) == (1280, 800, 1.0)
    assert (vote.zoomed, vote_of(second).zoomed) == (False, True)


def test_whole_campaign_by_keyboard_alone(open_page, make_campaign):
    """From the welcome page to the thanks, with zoom, help, undo and a skip on the way."""
    campaign = make_campaign(prompts=3)
    annotator = open_page(campaign).open()
    for _ in range(20):
        annotator.press("Tab")
        if annotator.tab.locator("button:focus", has_text="I agree, start").count():
            break
    annotator.press("Enter")
    annotator.wait_until_ready()
    prompts = {each.prompt_text for each in campaign.image_sets.main()}
    annotator.press("z", "Shift+ArrowRight", "z", "h")
    expect(annotator.tab.get_by_role("dialog", name="Keys and gestures")).to_be_visible()
    annotator.press("Escape")
    annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    annotator.press("u")
    expect(annotator.count).to_have_text("0 / 6")
    annotator.wait_until_ready()
    annotator.press("s", "ArrowDown")
    annotator.answer("Enter")  # an image is broken
    annotator.eventually(Release.objects.count, 1)
    for done in range(5):
        expect(annotator.count).to_have_text(re.compile(f"^{done} / "))
        shows_prompt = annotator.tab.locator("[data-prompt]").is_visible()
        assert shows_prompt == (done >= 2)
        if shows_prompt:
            assert annotator.tab.locator("[data-prompt]").inner_text() in prompts
        annotator.answer("ArrowRight")
    expect(annotator.tab.get_by_role("heading", name="Thank you!")).to_be_focused()
    assert votes_that_stand() == 5
    assert Vote.objects.count() == 6  # the undone one is kept


def test_new_question_is_pointed_out(open_page, make_campaign):
    annotator = open_page(make_campaign(prompts=2)).begin()
    badge = annotator.tab.get_by_text("New question", exact=True)
    for _ in range(2):
        expect(badge).to_be_hidden()
        annotator.answer("ArrowRight")
    expect(badge).to_be_visible()
    expect(annotator.tab.locator("[data-announce]")).to_contain_text("New question: Which image")
    annotator.answer("ArrowRight")
    expect(badge).to_be_hidden()


# ---- what is shown, and when ------------------------------------------------------------------


def test_images_are_equally_large_in_grey_and_the_page_needs_no_scrolling(annotator):
    left, right = (
        annotator.tab.locator(f"[data-image='{side}']").bounding_box() for side in (0, 1)
    )
    assert (left["width"], left["height"]) == (right["width"], right["height"])
    assert left["width"] == left["height"] > 350
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    colour = "box => getComputedStyle(box).backgroundColor"
    ground = annotator.tab.eval_on_selector(".stage", colour)
    assert ground == "rgb(128, 128, 128)"
    overflow = "document.documentElement.scrollHeight - window.innerHeight"
    assert annotator.tab.evaluate(overflow) <= 0


def test_next_pair_needs_no_network(annotator):
    """Two further pairs are held with their images decoded."""
    annotator.wait_until_preloaded()
    annotator.tab.route("**/annotate/**", lambda route: None)  # nothing is answered any more
    for _ in range(2):
        annotator.answer("ArrowRight")
    assert annotator.tab.locator(".stage:not(.loading)").is_visible()
    annotator.tab.unroute_all(behavior="ignoreErrors")


def test_keys_wait_for_300_ms_after_a_change(annotator):
    annotator.wait_until_preloaded()
    annotator.press("ArrowRight", "ArrowRight", "ArrowRight")
    annotator.tab.wait_for_timeout(500)
    annotator.eventually(votes_that_stand, 1)


def test_keys_do_nothing_in_help_and_in_the_skip_menu(annotator):
    before = annotator.assignment
    annotator.press("h", "ArrowLeft", "1", "u", "Escape")
    annotator.press("s", "ArrowDown", "1", "t", "Escape")
    expect(annotator.tab.locator("[data-skip]")).not_to_have_attribute("open", "")
    annotator.press("Control+1", "Alt+ArrowDown")
    annotator.tab.wait_for_timeout(100)
    assert (annotator.assignment, Vote.objects.count()) == (before, 0)


def test_letter_keys_can_be_switched_off(annotator):
    """Speech input types letters; arrows stay (WCAG 2.1.4)."""
    annotator.press("h")
    annotator.tab.get_by_label("Letters, digits and signs are keys too").uncheck()
    annotator.press("Escape")
    before = annotator.assignment
    annotator.press("1", "t", "z", "s")
    assert annotator.assignment == before
    assert annotator.transforms() == ["none", "none"]
    annotator.answer("ArrowLeft")
    annotator.resume()
    annotator.press("z")
    assert annotator.transforms() == ["none", "none"]  # remembered


def test_later_pairs_are_not_in_the_page(open_page, make_campaign):
    """What is preloaded is neither readable in the page nor in its title."""
    campaign = make_campaign(prompts=3)
    annotator = open_page(campaign).begin()
    prompts = {each.prompt_text for each in campaign.image_sets.main()}
    annotator.wait_until_preloaded()
    for _ in range(3):
        assert not any(prompt in annotator.tab.content() for prompt in prompts)
        annotator.answer("ArrowRight")
    annotator.wait_until_preloaded(pairs=5)
    own = annotator.tab.locator("[data-prompt]").inner_text()
    assert {prompt for prompt in prompts if prompt in annotator.tab.content()} == {own}
    assert annotator.tab.title() == "Image comparison"
    alts = annotator.tab.eval_on_selector_all("img", "images => images.map(image => image.alt)")
    assert alts == ["Left image", "Right image"]


def test_live_line_tells_the_pair_once(annotator):
    line = annotator.tab.locator("[role=status]")
    annotator.tab.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(() => {
            const parts = [...document.querySelectorAll("[role=status] span")];
            window.said.push(parts.map(part => part.textContent).join("|"));
          }).observe(document.querySelector("[role=status]"), {subtree: true, childList: true});
        }"""
    )
    annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 2)
    annotator.wait_until_saved()
    expect(line).to_contain_text("3 of 8")
    assert set(annotator.tab.evaluate("window.said")) <= {
        "|2 of 8", "Saved|1 of 8", "Saved|2 of 8", "Saved|3 of 8",
    }  # fmt: skip
    assert len(annotator.tab.evaluate("window.said")) <= 3


# ---- undo -------------------------------------------------------------------------------------


def test_undo_brings_the_pair_back_and_the_new_answer_counts(annotator):
    answered = annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    annotator.press("u")
    expect(annotator.status).to_contain_text("Undone")
    annotator.wait_until_ready()
    assert annotator.assignment == answered
    expect(annotator.count).to_have_text("0 / 8")
    expect(annotator.tab.get_by_role("button", name="Undo")).to_be_disabled()
    annotator.answer("ArrowRight")
    annotator.eventually(votes_that_stand, 1)
    assert vote_of(answered).answer == "right"


def test_undo_button_works_after_a_reload(annotator):
    answered = annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    annotator.resume()
    annotator.tab.get_by_role("button", name="Undo").click()
    annotator.eventually(votes_that_stand, 0)
    annotator.wait_until_ready()
    expect(annotator.tab.locator("[data-work] input[name=assignment]")).to_have_value(answered)


def test_undo_button_goes_when_its_time_is_over(open_page, make_campaign):
    campaign = make_campaign(rules={"annotation": {"undo_seconds": 2}})
    annotator = open_page(campaign).begin()
    annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    expect(annotator.tab.get_by_role("button", name="Undo")).to_be_disabled()
    annotator.press("u")
    annotator.tab.wait_for_timeout(100)
    assert votes_that_stand() == 1


# ---- zoom -------------------------------------------------------------------------------------


def test_zoom_and_pan_move_both_images_together(annotator):
    zoom = annotator.tab.get_by_role("button", name="Zoom")
    annotator.press("z")
    expect(zoom).to_have_attribute("aria-pressed", "true")
    left, right = annotator.transforms()
    assert left == right != "none"
    annotator.press("Shift+ArrowRight", "Shift+ArrowDown")
    left, right = annotator.transforms()
    assert left == right != "none"
    zoom.click()
    expect(zoom).to_have_attribute("aria-pressed", "false")
    assert annotator.transforms() == ["none", "none"]


def test_wheel_zooms_about_the_pointer_and_a_drag_pans(annotator):
    frame = annotator.tab.locator("[data-image='0']").bounding_box()
    x, y = frame["x"] + frame["width"] / 4, frame["y"] + frame["height"] / 4
    annotator.tab.mouse.move(x, y)
    for _ in range(3):
        annotator.tab.mouse.wheel(0, -100)
    annotator.eventually(lambda: scale_of(annotator) > 2, True)
    assert_point_stays(annotator, share=0.25)
    before = annotator.transforms()
    annotator.tab.mouse.down()
    annotator.tab.mouse.move(x - 40, y - 30, steps=4)
    annotator.tab.mouse.up()
    left, right = annotator.transforms()
    assert left == right != before[0]
    assert Vote.objects.count() == 0  # neither the drag nor its click is an answer


def matrix_of(annotator) -> list[float]:
    numbers = re.findall(r"[-\d.]+", annotator.transforms()[0])
    return [float(number) for number in numbers] or [1, 0, 0, 1, 0, 0]


def scale_of(annotator) -> float:
    return matrix_of(annotator)[0]


def assert_point_stays(annotator, *, share: float) -> None:
    """The point of the image at this share of the frame is where it was before the zoom."""
    scale, _, _, _, shift, _ = matrix_of(annotator)
    size = annotator.tab.eval_on_selector("[data-frame]", "frame => frame.clientWidth")
    assert shift + share * size * scale == pytest.approx(share * size, abs=1)


def test_while_zoomed_a_click_is_no_answer_but_arrows_are(annotator):
    before = annotator.assignment
    annotator.press("z")
    annotator.tab.locator("[data-image='0']").click()
    annotator.tab.wait_for_timeout(100)
    assert annotator.assignment == before
    annotator.answer("ArrowLeft")
    assert annotator.transforms() == ["none", "none"]  # every pair starts unzoomed
    expect(annotator.tab.get_by_role("button", name="Zoom")).to_have_attribute(
        "aria-pressed", "false"
    )
    drag_over_the_left_image(annotator)  # not zoomed either
    annotator.tab.wait_for_timeout(100)
    annotator.eventually(votes_that_stand, 1)


def drag_over_the_left_image(annotator) -> None:
    frame = annotator.tab.locator("[data-image='0']").bounding_box()
    x, y = frame["x"] + 50, frame["y"] + 50
    annotator.tab.mouse.move(x, y)
    annotator.tab.mouse.down()
    annotator.tab.mouse.move(x + 60, y, steps=4)
    annotator.tab.mouse.up()


# ---- skip -------------------------------------------------------------------------------------


def test_skip_gives_the_reason_and_the_next_pair(annotator):
    before = annotator.assignment
    annotator.tab.locator("summary", has_text="Skip").click()
    annotator.answer(annotator.tab.get_by_role("button", name="I cannot judge it").click)
    annotator.eventually(Release.objects.count, 1)
    release = Release.objects.get()
    assert (str(release.assignment.public_id), release.reason) == (before, "cannot_judge")
    expect(annotator.status).to_have_text("Skipped")
    annotator.resume()
    assert annotator.assignment != before


# ---- breaks and resuming ----------------------------------------------------------------------


def test_break_is_offered_and_its_time_is_not_counted(open_page, make_campaign):
    campaign = make_campaign(rules={"annotation": {"break_every": 2}})
    annotator = open_page(campaign).begin()
    annotator.answer("ArrowLeft")
    annotator.press("ArrowLeft")
    pause = annotator.tab.get_by_role("dialog", name="Take a short break?")
    expect(pause).to_contain_text("You have given 2 answers in a row.")
    expect(annotator.tab.locator(".stage.loading")).to_be_attached()  # the next pair is unseen
    annotator.tab.wait_for_timeout(1200)
    went_on = time.monotonic()
    pause.get_by_role("button", name="Continue").click()
    third = annotator.answer("ArrowLeft")
    took = 1000 * (time.monotonic() - went_on)
    annotator.eventually(votes_that_stand, 3)
    assert vote_of(third).response_time_ms <= took


def test_reload_resumes_at_the_same_pair(annotator):
    annotator.answer("ArrowLeft")
    annotator.eventually(votes_that_stand, 1)
    before = annotator.assignment
    annotator.resume()
    assert annotator.assignment == before
    expect(annotator.count).to_have_text("1 / 8")


def test_pair_that_was_given_to_somebody_else_is_replaced_and_that_is_said(annotator, ben):
    """As after an hour in the background, or a night asleep."""
    annotator.wait_until_preloaded()
    before = annotator.assignment
    Assignment.objects.filter(public_id=before).update(annotator=ben)
    annotator.tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(annotator.status).to_contain_text("was given to somebody else")
    annotator.wait_until_ready()
    assert annotator.assignment != before


# ---- without a script -------------------------------------------------------------------------


def test_page_works_without_javascript(open_page, make_campaign):
    annotator = open_page(make_campaign(prompts=2), java_script_enabled=False)
    annotator.agree()
    tab = annotator.tab
    expect(tab.locator("[data-image='0']")).to_be_visible()
    first = annotator.assignment
    tab.locator(".answers").get_by_role("button", name="Left").click()
    tab.get_by_role("button", name="Undo").click()
    assert annotator.assignment == first
    tab.locator("summary", has_text="Skip").click()
    tab.get_by_role("button", name="It is disturbing or unsafe").click()
    assert Release.objects.get().reason == "unsafe"
    for _ in range(3):
        tab.locator(".answers").get_by_role("button", name="Tie").click()
    expect(tab.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert Vote.objects.filter(answer="tie", response_time_ms__isnull=True).count() == 3
    for name in ("Zoom", "Help"):
        expect(tab.get_by_role("button", name=name)).to_be_hidden()
