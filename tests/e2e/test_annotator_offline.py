"""No answer is lost: bad connections, reloads, closed browsers and servers that are down."""

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import Release, Vote
from evalplatform.annotation.services import undo_vote
from evalplatform.campaigns.services import close_campaign

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

QUEUED_IN_BROWSER = """() => new Promise(resolve => {
  const request = indexedDB.open("annotate");
  request.onsuccess = () => {
    const all = request.result.transaction("outbox").objectStore("outbox").getAll();
    all.onsuccess = () => { request.result.close(); resolve(all.result.length); };
  };
})"""


def stored() -> list[str]:
    votes = Vote.objects.filter(retracted_at__isnull=True)
    return list(votes.order_by("voted_at", "pk").values_list("answer", flat=True))


@pytest.fixture
def loaded(annotator):
    """At the first pair, with the next two preloaded."""
    annotator.wait_until_preloaded()
    return annotator


def test_answers_given_offline_are_kept_and_sent_once_in_order(loaded):
    loaded.context.set_offline(True)
    loaded.answer("ArrowLeft")
    expect(loaded.status).to_have_text("Offline, 1 queued")
    loaded.answer("ArrowRight")
    expect(loaded.count).to_have_text("2 / 8")
    loaded.press("ArrowDown")
    expect(loaded.between).to_have_text(
        "Offline: your 3 answers are kept on this device and are sent when the connection is back."
        " The next one comes then."
    )
    assert (stored(), loaded.tab.evaluate(QUEUED_IN_BROWSER)) == ([], 3)
    loaded.context.set_offline(False)
    loaded.wait_until_ready()  # goes on by itself
    loaded.wait_until_saved()
    assert stored() == ["left", "right", "tie"]
    assert loaded.tab.evaluate(QUEUED_IN_BROWSER) == 0
    expect(loaded.count).to_have_text("3 / 8")


def test_offline_is_not_said_any_longer_once_the_connection_is_back(loaded):
    """With nothing to send and nothing to ask, too."""
    loaded.context.set_offline(True)
    expect(loaded.status).to_have_text("Offline")
    loaded.context.set_offline(False)
    expect(loaded.status).to_have_text("")
    expect(loaded.count).to_have_text("0 / 8")


def test_eight_pairs_can_be_judged_offline(open_page, make_campaign):
    annotator = open_page(make_campaign(criteria=["visual_appeal"], prompts=40, k=1)).begin()
    annotator.wait_until_preloaded(pairs=8)
    annotator.context.set_offline(True)
    for _ in range(7):
        annotator.answer("ArrowLeft")
    annotator.press("ArrowRight")
    expect(annotator.between).to_have_text(
        "Offline: your 8 answers are kept on this device and are sent when the connection is back."
        " The next one comes then."
    )
    assert stored() == []
    annotator.context.set_offline(False)
    annotator.wait_until_ready()
    annotator.eventually(stored, ["left"] * 7 + ["right"])


def test_connection_that_goes_while_a_vote_is_on_its_way_loses_nothing(loaded):
    loaded.tab.route("**/vote/", lambda route: route.abort())
    loaded.press("ArrowLeft")
    expect(loaded.status).to_have_text("Offline, 1 queued")
    loaded.tab.unroute("**/vote/")
    loaded.wait_until_saved()  # tried again by itself
    assert stored() == ["left"]


def lose_the_first_receipt(annotator, pattern: str) -> list[str]:
    """Let the first request arrive and its answer get lost; returns what that answer was."""
    lost: list[str] = []

    def handle(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().json()["receipt"])
            route.abort()

    annotator.tab.route(pattern, handle)
    return lost


def test_answer_whose_receipt_was_lost_is_stored_once(loaded):
    lost = lose_the_first_receipt(loaded, "**/vote/")
    loaded.press("ArrowLeft")
    loaded.wait_until_saved()
    assert (lost, stored()) == (["recorded"], ["left"])


def test_answers_survive_the_browser_being_closed(loaded):
    loaded.context.set_offline(True)
    first = loaded.answer("ArrowLeft")
    second = loaded.answer("ArrowRight")
    loaded.tab.close()
    loaded.context.set_offline(False)
    again = loaded.another_tab().resume()
    again.eventually(stored, ["left", "right"])
    assert again.assignment not in (first, second)
    expect(again.count).to_have_text("2 / 8")


def test_reload_with_queued_answers_does_not_show_their_pairs_again(loaded):
    loaded.tab.route("**/vote/", lambda route: route.abort())
    first = loaded.answer("ArrowLeft")
    second = loaded.answer("ArrowRight")
    loaded.open()
    expect(loaded.status).to_have_text("Offline, 2 queued")
    expect(loaded.count).to_have_text("2 / 8")
    assert loaded.tab.locator("[data-work]").is_hidden()
    loaded.tab.unroute("**/vote/")
    loaded.wait_until_ready()
    assert loaded.assignment not in (first, second)
    assert stored() == ["left", "right"]


def test_undo_of_an_unsent_answer_takes_it_back_on_the_device(loaded):
    loaded.context.set_offline(True)
    first = loaded.answer("ArrowLeft")
    loaded.press("u")
    loaded.eventually(lambda: loaded.assignment, first)
    expect(loaded.count).to_have_text("0 / 8")
    loaded.answer("ArrowRight")
    loaded.context.set_offline(False)
    loaded.wait_until_saved()
    assert stored() == ["right"]
    assert Vote.objects.count() == 1  # the server never heard of the first


def test_undo_of_an_answer_that_may_have_arrived_is_left_to_the_server(loaded):
    loaded.tab.route("**/vote/", lambda route: route.fetch() and route.abort())
    first = loaded.answer("ArrowLeft")
    expect(loaded.status).to_have_text("Offline, 1 queued")
    loaded.press("u")
    expect(loaded.status).to_have_text("Offline, 2 queued")
    loaded.tab.unroute("**/vote/")
    expect(loaded.status).to_contain_text("Undone")
    loaded.eventually(lambda: loaded.assignment, first)
    assert stored() == []


def test_undo_whose_receipt_was_lost_is_done_once(loaded):
    first = loaded.answer("ArrowLeft")
    loaded.wait_until_saved()
    lost = lose_the_first_receipt(loaded, "**/undo/")
    loaded.press("u")
    expect(loaded.status).to_contain_text("Undone")
    loaded.eventually(lambda: loaded.assignment, first)
    expect(loaded.count).to_have_text("0 / 8")
    assert (lost, stored()) == (["undone"], [])


def test_skip_is_kept_while_offline(loaded):
    loaded.context.set_offline(True)
    loaded.press("s")
    loaded.answer("Enter")
    expect(loaded.status).to_have_text("Offline, 1 queued")
    loaded.context.set_offline(False)
    loaded.eventually(Release.objects.count, 1)


def test_server_that_is_down_is_asked_again(loaded):
    loaded.answer_with("**/vote/", 503)
    loaded.answer("ArrowLeft")
    expect(loaded.status).to_have_text("The server does not answer, 1 queued")
    loaded.tab.unroute("**/vote/")
    loaded.wait_until_saved()
    assert stored() == ["left"]


def test_refused_answer_is_dropped_and_said(loaded):
    loaded.answer_with("**/vote/", 400, {"error": "it makes no sense"})
    first = loaded.assignment
    loaded.press("ArrowLeft")
    expect(loaded.status).to_contain_text("refused and is not stored: it makes no sense")
    assert loaded.tab.evaluate(QUEUED_IN_BROWSER) == 0
    loaded.wait_until_ready()
    assert loaded.assignment == first  # the server still wants it answered
    expect(loaded.count).to_have_text("0 / 8")


def test_lost_csrf_cookie_is_fetched_anew(loaded):
    loaded.context.clear_cookies(name="csrftoken")
    loaded.tab.eval_on_selector_all(
        "[name=csrfmiddlewaretoken]", "fields => fields.forEach(field => field.value = 'x')"
    )
    loaded.answer("ArrowLeft")
    loaded.eventually(stored, ["left"])


def test_signed_out_annotator_is_asked_to_agree_again_and_the_answer_waits(loaded):
    sessions = loaded.context.cookies()
    loaded.context.clear_cookies(name="annotator")
    loaded.press("ArrowLeft")
    expect(loaded.tab.get_by_role("button", name="I agree, start")).to_be_visible()
    loaded.context.add_cookies(sessions)
    loaded.resume()
    loaded.eventually(stored, ["left"])


def test_answers_of_another_person_on_the_same_device_wait_for_them(loaded):
    loaded.context.set_offline(True)
    loaded.answer("ArrowLeft")
    sessions = loaded.context.cookies()
    loaded.tab.close()
    loaded.context.set_offline(False)
    loaded.context.clear_cookies()
    other = loaded.another_tab().begin()
    other.answer("ArrowRight")
    other.eventually(stored, ["right"])
    other.tab.close()
    loaded.context.add_cookies(sessions)
    loaded.another_tab().resume().eventually(stored, ["right", "left"])


def test_answer_to_a_closed_study_is_kept_as_surplus(loaded, campaign):
    close_campaign(campaign=campaign)
    loaded.answer("ArrowLeft")
    expect(loaded.tab.get_by_role("heading", name="This study has ended")).to_be_visible()
    expect(loaded.status).to_contain_text("Kept, but")


def test_without_a_database_answers_are_held_in_memory_and_leaving_warns(open_page, campaign):
    annotator = open_page(campaign)
    annotator.context.add_init_script(
        "Object.defineProperty(window, 'indexedDB', {get() { throw new Error('private'); }})"
    )
    annotator.begin()
    annotator.wait_until_preloaded()
    annotator.context.set_offline(True)
    annotator.answer("ArrowLeft")
    expect(annotator.status).to_have_text("Offline, 1 queued")
    with annotator.tab.expect_event("dialog") as asked:
        annotator.tab.on("dialog", lambda dialog: dialog.dismiss())
        annotator.tab.evaluate("setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    annotator.context.set_offline(False)
    annotator.wait_until_saved()
    assert stored() == ["left"]


def test_undo_that_comes_too_late_says_so(loaded):
    loaded.answer("ArrowLeft")
    loaded.wait_until_saved()
    vote = Vote.objects.get()
    enrolment = vote.assignment.campaign.enrolments.get()
    undo_vote(enrolment=enrolment, key=vote.idempotency_key, now=vote.voted_at)  # in another window
    loaded.answer_with("**/undo/", 200, {"receipt": "too_late"})
    loaded.press("u")
    expect(loaded.status).to_have_text("Too late to undo")
