"""WCAG 2.2 AA as far as a machine can tell, in every state of the annotator's page."""

from dataclasses import replace

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment
from evalplatform.campaigns.criteria import plan_criterion
from tests.e2e.accessibility import assert_page_is_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ENDS = ["done", "finished", "waiting", "paused", "disqualified", "screened_out", "closed",
        "returned"]  # fmt: skip


def assert_accessible(annotator, state: str) -> None:
    assert_page_is_accessible(annotator.tab, state)


def test_welcome_page(open_page, make_campaign):
    rules = {
        "annotation": {"session_cap": 3},
        "quality": {"qualification_pairs": 0},
    }
    annotator = open_page(make_campaign(rules=rules)).open()
    assert_accessible(annotator, "welcome")


def test_page_of_who_cannot_begin(open_page, make_campaign):
    """With all that it can hold: the longest words, the way back and the link to look again."""
    rules = {"crowd": {"completed_code": "C0DE"}}
    campaign = make_campaign(rules=rules, k=1)
    Assignment.objects.update(
        annotator=Annotator.objects.create(), leased_at=timezone.now(),
        lease_expires_at=timezone.now() + timezone.timedelta(hours=1),
    )  # fmt: skip
    annotator = open_page(campaign)
    annotator.tab.goto(f"{annotator.url}?PROLIFIC_PID=5f1e0a")
    heading = annotator.tab.get_by_role("heading", level=1)
    expect(heading).to_have_text("Nothing is free right now")
    assert_accessible(annotator, "not now")
    annotator.tab.get_by_role("link", name="Look again").click()
    expect(annotator.tab.get_by_role("link", name="Return to Prolific")).to_be_visible()


def test_questions_about_the_instructions(open_page, make_campaign):
    """Both tries by keyboard, and the end of who fails twice."""
    question = {
        "name": "tie", "label": "What do you do when both are equally good?",
        "choices": ["I press Tie", "I guess"], "right": "I press Tie", "why": "A guess misleads.",
    }  # fmt: skip
    annotator = open_page(make_campaign(rules={"comprehension": [question]}))
    annotator.agree()
    heading = annotator.tab.get_by_role("heading", level=1)
    expect(heading).to_have_text("Before you begin")
    assert_accessible(annotator, "comprehension")
    annotator.tab.get_by_label("I guess").press("Space")
    annotator.press("Enter")
    expect(annotator.tab.get_by_text("“I guess” was not right. A guess misleads.")).to_be_visible()
    assert_accessible(annotator, "comprehension, second try")
    annotator.tab.get_by_label("I guess").check()
    annotator.tab.get_by_role("button", name="Check my answers").click()
    expect(heading.first).to_have_text("Thank you for your interest")
    assert_accessible(annotator, "screened out")


def test_pair_and_what_opens_over_it(open_page, make_campaign):
    rules = {"annotation": {"break_every": 1}}
    plan = plan_criterion("text_faithfulness", form="pair_both_neither")
    annotator = open_page(make_campaign(criteria=[plan], rules=rules)).begin()
    assert_accessible(annotator, "pair")
    annotator.press("z")
    assert_accessible(annotator, "zoomed")
    annotator.press("z", "s")
    assert_accessible(annotator, "skip menu")
    annotator.press("Escape", "h")
    assert_accessible(annotator, "help")
    annotator.press("Escape", "ArrowLeft")
    expect(annotator.tab.get_by_role("dialog", name="Take a short break?")).to_be_visible()
    assert_accessible(annotator, "break")


@pytest.mark.parametrize("form", ["ranking", "rating", "keep_reject"])
def test_other_forms_at_their_start_and_half_answered(open_page, make_campaign, form):
    plan = replace(
        plan_criterion("text_faithfulness", form=form),
        heads=("focus", "anatomy", "text or watermark") if form == "keep_reject" else (),
    )
    together = {"arms": 4, "design": "together"} if form == "ranking" else {}
    campaign = make_campaign(criteria=[plan], **together)
    annotator = open_page(campaign).open()
    assert_accessible(annotator, f"welcome to {form}")
    annotator.begin()
    assert_accessible(annotator, form)
    if form != "rating":
        annotator.press("2", "Shift+1")
        assert_accessible(annotator, f"{form}, begun")
    annotator.press("h")
    assert_accessible(annotator, f"{form}, help")


@pytest.mark.parametrize("form", ["ranking", "rating", "keep_reject"])
def test_other_forms_at_200_percent_stay_usable(open_page, make_campaign, form):
    together = {"arms": 3, "design": "together"} if form == "ranking" else {}
    campaign = make_campaign(form=form, criteria=["visual_appeal"], **together)
    annotator = open_page(campaign).begin()
    for width in (1280, 390):
        annotator.tab.set_viewport_size({"width": width, "height": 720})
        annotator.tab.evaluate("document.documentElement.style.fontSize = '200%'")
        if form == "ranking":
            annotator.press("1")
        assert sideways(annotator) <= 0
        assert annotator.tab.eval_on_selector_all(".answers button, .tools .button", CUT) == []


def test_troubles(annotator):
    annotator.wait_until_preloaded()
    annotator.context.set_offline(True)
    for _ in range(3):
        annotator.press("ArrowRight")
        annotator.tab.wait_for_timeout(400)
    expect(annotator.tab.get_by_role("heading", level=1)).to_contain_text("Offline: your 3")
    assert_accessible(annotator, "offline, no pair left")
    annotator.context.set_offline(False)
    annotator.wait_until_ready()
    annotator.tab.evaluate(
        """() => {
          const box = document.querySelector("[data-trouble]");
          box.hidden = false;
          box.querySelector("p").textContent = "An image does not load.";
          document.querySelector(".stage").classList.add("loading");
          document.querySelector("[data-status]").className = "problem";
        }"""
    )
    assert_accessible(annotator, "broken image and problem line")


def test_end_states(annotator):
    """The server decides which it is; here every one is shown by the page's own script."""
    way_out = {"url": "/healthz", "label": "Return to the platform"}
    for state in ENDS:
        annotator.tab.unroute_all()
        annotator.serve_state(
            lambda told, state=state: told | {"state": state, "sets": [], "exit": way_out}
        )
        annotator.open()
        expect(annotator.tab.locator(f"[data-end={state}]")).to_be_visible()
        assert annotator.tab.get_by_role("heading", level=1).count() == 1
        assert_accessible(annotator, state)


def test_questionnaire(open_page, make_campaign):
    questions = [
        {"name": "screen", "label": "What do you look at?", "choices": ["Phone", "Monitor"]},
        {"name": "remarks", "label": "Anything to add?", "kind": "text"},
    ]
    campaign = make_campaign(
        rules={"annotation": {"session_cap": 1}, "questionnaire": questions}, prompts=1
    )
    annotator = open_page(campaign).begin()
    annotator.answer("ArrowLeft")
    expect(annotator.tab.get_by_role("heading", level=1)).to_have_text("A few last questions")
    assert_accessible(annotator, "questionnaire")


CUT = """buttons => buttons.filter(button => button.scrollWidth > button.clientWidth + 1)
                           .map(button => button.textContent)"""


def sideways(annotator) -> int:
    return annotator.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_text_at_200_percent_stays_usable(annotator):
    for width, name in ((1280, "Left"), (375, "Bottom")):
        annotator.tab.set_viewport_size({"width": width, "height": 720})
        annotator.tab.evaluate("document.documentElement.style.fontSize = '200%'")
        assert sideways(annotator) <= 0
        assert annotator.tab.eval_on_selector_all(".answers button, .tools .button", CUT) == []
        annotator.answer(annotator.answers.get_by_role("button", name=name).click)


def test_nothing_moves_for_who_asked_for_less_motion(open_page, campaign):
    annotator = open_page(campaign, reduced_motion="reduce").begin()
    annotator.answer("ArrowLeft")
    annotator.press("z")
    moving = """document.getAnimations().filter(
        each => each.effect.getTiming().duration > 0).map(each => String(each.animationName))"""
    assert annotator.tab.evaluate(moving) == []


def test_focus_is_seen_and_goes_in_the_order_of_the_page(annotator):
    seen = []
    for _ in range(9):
        annotator.press("Tab")
        seen.append(
            annotator.tab.evaluate(
                """() => {
                  const at = document.activeElement;
                  const style = getComputedStyle(at);
                  const name = at.getAttribute("aria-label") ?? at.innerText.trim();
                  return [name.replace(/\\s+/g, " "), style.outlineStyle !== "none"];
                }"""
            )
        )
    assert [is_seen for _, is_seen in seen] == [True] * len(seen)
    assert [name for name, _ in seen] == [
        "Instructions", "Left image is better", "Right image is better", "← Left", "↓ Tie",
        "Right →", "Zoom Z", "Skip S", "Help H",
    ]  # fmt: skip
