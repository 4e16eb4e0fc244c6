"""One annotator with the page open twice."""

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import SurplusVote, Vote

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

WITHOUT_COORDINATION = """
delete window.BroadcastChannel;
Object.defineProperty(navigator, "locks", {value: undefined});
"""

# What a tab is told late, or never: that another has answered, but not what became of it.
UNTOLD_OF_ANSWERS = """
const post = BroadcastChannel.prototype.postMessage;
BroadcastChannel.prototype.postMessage = function (message) {
  if (!message.changed) post.call(this, message);
};
"""
SILENT_ABOUT_RESULTS = """() => {
  const post = BroadcastChannel.prototype.postMessage;
  BroadcastChannel.prototype.postMessage = function (message) {
    if (!message.settled) post.call(this, message);
  };
}"""
ONLINE_WHEN_TOLD = """
window.isOnline = false;
Object.defineProperty(navigator, "onLine", {get: () => window.isOnline});
"""
WATCH_PAIRS = """() => {
  window.shown = new Set();
  const field = document.querySelector("[data-work] input[name=assignment]");
  const see = () => { window.shown.add(field.value); requestAnimationFrame(see); };
  see();
}"""
# Whatever is read of the queue arrives when the rest of the page has long gone on.
SLOW_TO_READ = """
window.reads = 0;
const getAll = IDBObjectStore.prototype.getAll;
IDBObjectStore.prototype.getAll = function () {
  const real = getAll.call(this);
  return {
    get result() { return real.result; },
    set onsuccess(act) {
      real.onsuccess = () => setTimeout(() => { act(); window.reads += 1; }, 500);
    },
    set onerror(act) { real.onerror = act; },
  };
};
"""


def test_answer_in_one_tab_moves_the_other_on(annotator):
    other = annotator.another_tab().resume()
    first = annotator.assignment
    assert other.assignment == first
    annotator.answer("ArrowLeft")
    annotator.eventually(lambda: other.assignment == annotator.assignment, True)
    other.wait_until_ready()
    expect(other.count).to_have_text("1 / 8")
    second = other.answer("ArrowRight")
    annotator.eventually(lambda: annotator.assignment not in (first, second), True)
    annotator.eventually(Vote.objects.count, 2)
    assert SurplusVote.objects.count() == 0


def test_undo_in_one_tab_brings_the_pair_back_in_both(annotator):
    other = annotator.another_tab().resume()
    first = annotator.answer("ArrowLeft")
    for each in (annotator, other):
        each.wait_until_saved()
    other.press("u")
    for each in (annotator, other):
        annotator.eventually(lambda each=each: each.assignment, first)
        expect(each.count).to_have_text("0 / 8")


def test_answers_queued_in_both_tabs_are_each_sent_once(annotator):
    other = annotator.another_tab().resume()
    for each in (annotator, other):
        each.wait_until_preloaded()
    annotator.context.set_offline(True)
    first = annotator.answer("ArrowLeft")
    annotator.eventually(lambda: other.assignment != first, True)
    other.answer("ArrowRight")
    expect(annotator.status).to_have_text("Offline, 2 queued")
    annotator.context.set_offline(False)
    annotator.eventually(Vote.objects.count, 2)
    for each in (annotator, other):
        expect(each.status).to_have_text("Saved")
    assert SurplusVote.objects.count() == 0


@pytest.mark.parametrize(
    "script", [UNTOLD_OF_ANSWERS, WITHOUT_COORDINATION], ids=["told late", "never told"]
)
def test_pair_that_another_tab_answered_is_not_said_to_be_given_away(open_page, campaign, script):
    annotator = open_page(campaign)
    annotator.context.add_init_script(script)
    annotator.begin()
    other = annotator.another_tab().resume()
    answered = annotator.answer("ArrowLeft")
    annotator.wait_until_saved()
    # As a browser does when somebody comes back to the page: it asks how things stand.
    other.tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    other.eventually(lambda: other.assignment, annotator.assignment)
    assert other.assignment != answered
    other.wait_until_ready()
    expect(other.status).not_to_contain_text("given to somebody else")


def test_answer_that_another_tab_sent_is_not_shown_again(annotator):
    """A tab that finds the queue empty does not know yet what became of the answer."""
    other = annotator.another_tab()
    other.tab.add_init_script(ONLINE_WHEN_TOLD)
    annotator.tab.evaluate(SILENT_ABOUT_RESULTS)
    other.resume()
    for each in (annotator, other):
        each.wait_until_preloaded()
    annotator.context.set_offline(True)
    first = annotator.answer("ArrowLeft")
    expect(other.status).to_have_text("Offline, 1 queued")
    other.tab.evaluate(WATCH_PAIRS)
    annotator.context.set_offline(False)
    annotator.wait_until_saved()
    other.tab.evaluate("() => { window.isOnline = true; dispatchEvent(new Event('online')); }")
    expect(other.status).to_have_text("")
    expect(other.count).to_have_text("1 / 8")
    assert other.assignment == annotator.assignment
    assert first not in other.tab.evaluate("[...window.shown]")


def test_tab_that_reads_the_queue_slowly_counts_an_answer_once(annotator):
    other = annotator.another_tab()
    other.tab.add_init_script(SLOW_TO_READ)
    other.resume()
    reads = other.tab.evaluate("window.reads")
    annotator.answer("ArrowLeft")
    annotator.wait_until_saved()
    other.tab.wait_for_function("reads => window.reads > reads", arg=reads)
    expect(other.count).to_have_text("1 / 8")
    expect(other.status).to_have_text("Saved")


def test_tabs_that_cannot_coordinate_store_one_vote_a_pair(open_page, campaign):
    annotator = open_page(campaign)
    annotator.context.add_init_script(WITHOUT_COORDINATION)
    annotator.begin()
    other = annotator.another_tab().resume()
    same = annotator.answer("ArrowLeft")
    annotator.wait_until_saved()
    assert other.answer("ArrowRight") == same
    annotator.eventually(SurplusVote.objects.count, 1)
    assert Vote.objects.get().answer == "left"
    expect(other.status).to_contain_text("Kept, but too late")
