"""How the work ends: every state says honestly what is the matter and what to do."""

from urllib.parse import urlencode

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from evalplatform.annotation.models import Assignment, Enrolment, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PROLIFIC = {"PROLIFIC_PID": "5f0000000000000000000001", "STUDY_ID": "s1", "SESSION_ID": "v1"}


def expect_end(annotator, words: str) -> None:
    expect(annotator.tab.get_by_role("heading", level=1)).to_have_text(words)
    expect(annotator.tab.get_by_text("All your answers are saved")).to_be_visible()
    assert annotator.tab.locator("[data-work]").is_hidden()


def test_paused_returned_disqualified_and_closed_are_told_apart(annotator, campaign):
    def state(status: str) -> None:
        Enrolment.objects.update(status=status)

    status = Enrolment.Status
    Campaign.objects.update(status=Campaign.Status.PAUSED)
    annotator.open()
    expect_end(annotator, "This study is paused")
    expect(annotator.tab.get_by_role("link", name="Look again")).to_be_visible()
    # A function: an expression that is not true at once would be evaluated by the page, whose
    # policy refuses that.
    annotator.tab.wait_for_function(
        "() => performance.getEntriesByType('resource').some(each => each.name.includes('/next/'))"
    )
    Campaign.objects.update(status=Campaign.Status.OPEN)
    annotator.tab.get_by_role("link", name="Look again").click()
    annotator.wait_until_ready()  # where they stopped, without loading the page
    for value, words in (
        (status.RETURNED, "You have given this work back"),
        (status.DISQUALIFIED, "You cannot take part any further"),
    ):
        state(value)
        annotator.open()
        expect_end(annotator, words)
        expect(annotator.tab.get_by_role("link", name="Look again")).to_be_hidden()
    state(status.ACTIVE)
    close_campaign(campaign=campaign)
    annotator.open()
    expect_end(annotator, "This study has ended")


def test_waiting_looks_again_by_itself(open_page, make_campaign, ana):
    campaign = make_campaign(criteria=["visual_appeal"], prompts=2, k=1)
    other = factories.enrol(campaign=campaign, annotator=ana)
    slot = factories.lease(other)
    annotator = open_page(campaign)
    annotator.tab.clock.install()
    annotator.begin()
    annotator.answer("ArrowLeft")
    expect_end(annotator, "Nothing is free right now")
    past = timezone.now() - timezone.timedelta(hours=1)
    Assignment.objects.filter(pk=slot.pk).update(
        leased_at=past, lease_expires_at=past + timezone.timedelta(minutes=1)
    )
    annotator.tab.clock.run_for(31_000)
    annotator.wait_until_ready()


def test_session_ends_at_its_cap_and_the_last_answer_can_be_undone(open_page, make_campaign):
    campaign = make_campaign(rules={"annotation": {"session_cap": 2}})
    annotator = open_page(campaign).begin()
    annotator.answer("ArrowLeft")
    last = annotator.answer("ArrowLeft")
    expect_end(annotator, "Finished. Thank you!")
    expect(annotator.count).to_have_text("2 / 2")
    undo = annotator.tab.get_by_role("button", name="Undo").bounding_box()
    window = annotator.tab.viewport_size
    assert window["height"] - undo["y"] - undo["height"] <= 20  # where it was while they judged
    annotator.press("u")
    expect(annotator.status).to_contain_text("Undone")
    annotator.wait_until_ready()
    assert annotator.assignment == last


def test_exit_is_followed_only_after_the_last_answer_was_acknowledged(open_page, make_campaign):
    campaign = make_campaign(rules={"crowd": {"completed_code": "C0DE"}})
    annotator = open_page(campaign)
    annotator.context.route(
        "https://app.prolific.com/**", lambda route: route.fulfill(body="welcome back")
    )
    annotator.tab.goto(f"{annotator.url}?{urlencode(PROLIFIC)}")
    expect(annotator.tab.get_by_text("takes you back to Prolific")).to_be_visible()
    annotator.tab.get_by_role("button", name="I agree, start").click()
    annotator.wait_until_ready()
    annotator.tab.route("**/vote/", lambda route: route.abort())
    annotator.press("ArrowLeft")
    expect(annotator.status).to_have_text("Offline, 1 queued")
    close_campaign(campaign=campaign)
    annotator.open()
    leave = annotator.tab.get_by_role("link", name="Return to Prolific")
    expect(annotator.tab.get_by_text("your last answer is still being sent")).to_be_visible()
    expect(leave).to_have_attribute("aria-disabled", "true")
    leave.click(force=True)
    assert annotator.tab.url == annotator.url
    annotator.tab.unroute("**/vote/")
    expect(annotator.tab.get_by_text("All your answers are saved")).to_be_visible()
    # Why is not said: the study has ended, and nobody else has answered.
    expect(annotator.status).to_have_text("Kept, but too late to count")
    leave.click()
    annotator.tab.wait_for_url("https://app.prolific.com/submissions/complete?cc=C0DE")


QUESTIONS = [
    {"name": "screen", "label": "What do you look at?", "choices": ["Phone", "Monitor"],
     "required": True},
    {"name": "remarks", "label": "Anything to add?", "kind": "text"},
]  # fmt: skip


@pytest.fixture
def with_questions(make_campaign):
    return make_campaign(rules={"annotation": {"session_cap": 1}, "questionnaire": QUESTIONS})


def test_questionnaire_is_filled_in_and_kept_while_offline(open_page, with_questions):
    annotator = open_page(with_questions).begin()
    annotator.answer("ArrowLeft")
    expect(annotator.tab.get_by_role("heading", level=1)).to_have_text("A few last questions")
    send = annotator.tab.get_by_role("button", name="Send")
    send.click()
    assert Enrolment.objects.get().questionnaire is None  # the browser asks for what is required
    annotator.tab.get_by_label("Monitor").check()
    annotator.tab.get_by_label("Anything to add?").fill("a 1 t")  # keys are letters here
    annotator.context.set_offline(True)
    send.click()
    expect(annotator.status).to_have_text("Offline, 1 queued")
    annotator.context.set_offline(False)
    expect_end(annotator, "Finished. Thank you!")
    stored = Enrolment.objects.get().questionnaire
    assert stored == {"screen": "Monitor", "remarks": "a 1 t"}


def test_ends_and_questionnaire_work_without_javascript(open_page, with_questions):
    annotator = open_page(with_questions, java_script_enabled=False)
    annotator.agree()
    tab = annotator.tab
    tab.locator(".answers").get_by_role("button", name="Tie").click()
    tab.get_by_label("Phone").check()
    tab.get_by_role("button", name="Send").click()
    expect_end(annotator, "Finished. Thank you!")
    assert Vote.objects.count() == 1
