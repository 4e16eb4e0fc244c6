"""One annotator with the page open twice."""

import pytest
from playwright.sync_api import expect

from evalplatform.annotation.models import SurplusVote, Vote

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

WITHOUT_COORDINATION = """
delete window.BroadcastChannel;
Object.defineProperty(navigator, "locks", {value: undefined});
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
    annotator.wait_until_saved()
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


def test_tabs_that_cannot_coordinate_store_one_vote_a_pair(open_page, campaign):
    annotator = open_page(campaign)
    annotator.context.add_init_script(WITHOUT_COORDINATION)
    annotator.begin()
    other = annotator.another_tab().resume()
    same = annotator.answer("ArrowLeft")
    annotator.wait_until_saved()
    assert other.answer("ArrowRight") == same
    annotator.eventually(SurplusVote.objects.count, 1)
    assert Vote.objects.get().choice == "left"
    expect(other.status).to_contain_text("Kept, but too late")
