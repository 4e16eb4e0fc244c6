"""Counts kept by the database are what counting would give, whatever happens to votes."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Vote
from evalplatform.annotation.services import (
    enrol,
    exclude,
    open_campaign,
    reinstate,
    skip_assignment,
    undo_vote,
)
from evalplatform.campaigns.services import close_campaign
from evalplatform.tallies.folding import fold
from evalplatform.tallies.models import Activity, ItemTally, Pulse
from evalplatform.tallies.selectors import live_numbers
from tests import factories
from tests.counting import assert_tallies_are_true

pytestmark = pytest.mark.django_db(transaction=True)
FORMS = {
    "pair": (2, ["left", "tie", "right"]),
    "pair_both_neither": (2, ["left", "both", "neither", "right"]),
    "ranking": (3, ["2>1>0", "1=0>2", "0=1=2"]),
    "rating": (1, ["1", "3", "5"]),
    "keep_reject": (1, ["keep", "unsure", "reject"]),
}


def opened(form="pair", prompts=3, k=3, people=4):
    size, _ = FORMS[form]
    design = {} if size == 2 else {"design": "together"}
    draft = factories.make_draft(
        prompts=prompts, k=k, criteria=["visual_appeal"], form=form, arms=size, **design
    )
    open_campaign(campaign=draft)
    return draft, [
        enrol(campaign=draft, annotator=Annotator.objects.create()) for _ in range(people)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_tallies_follow_votes_taken_back_excluded_and_let_in_again(form):
    rng = random.Random(form)
    campaign, people = opened(form)
    answers = FORMS[form][1]
    for _ in range(2):
        for each in people:
            if slot := factories.lease(each):
                factories.vote(each, slot, rng.choice(answers))
    assert_tallies_are_true(campaign)
    undo_vote(enrolment=people[0], key=None, now=timezone.now())
    assert_tallies_are_true(campaign)
    shut_out = exclude(enrolment=people[1], rule="gold", detail="0 of 6", now=timezone.now())
    assert_tallies_are_true(campaign)
    slot = factories.lease(people[2])
    factories.vote(people[2], slot, answers[0])
    reinstate(exclusion=shut_out, now=timezone.now())
    assert_tallies_are_true(campaign)
    assert ItemTally.objects.filter(votes__gte=2).exists()


def test_check_and_late_answer_count_as_activity_and_never_as_votes():
    campaign, (first, *_) = opened()
    slot = factories.lease(first)
    factories.vote(first, slot)
    before = the_activity(campaign)
    factories.vote(first, slot, "right")  # again under another key: kept aside
    after = the_activity(campaign)
    assert (after.votes, after.changes) == (before.votes, before.changes + 1)
    slot = factories.lease(first)
    skip_assignment(enrolment=first, public_id=slot.public_id, reason="unsafe", now=timezone.now())
    assert the_activity(campaign).changes == before.changes + 2
    assert_tallies_are_true(campaign)


def the_activity(campaign):
    fold([campaign.pk])
    return Activity.objects.get()


def test_two_last_votes_on_an_item_at_once_complete_it_once():
    """Neither of the two transactions sees the other's vote; counted together, they add up."""
    campaign, people = opened(prompts=1, k=2, people=2)
    slots = [factories.lease(each) for each in people]
    start = threading.Barrier(2)

    def vote(number):
        start.wait(10)
        factories.vote(people[number], slots[number])
        connection.close()

    threads = [threading.Thread(target=vote, args=[number]) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    numbers = live_numbers(campaign, timezone.now())
    assert (numbers.votes, numbers.items_complete, numbers.is_complete) == (2, 1, True)
    assert_tallies_are_true(campaign)


def test_live_numbers_say_how_fast_it_goes_and_when_it_ends():
    campaign, people = opened(prompts=4, k=2, people=2)
    now = timezone.now().replace(minute=50, second=0, microsecond=0)
    for minutes in (45, 20, 2):  # since 05, 30 and 48 minutes past
        factories.vote(people[0], factories.lease(people[0]), now=now - timedelta(minutes=minutes))
    factories.vote(people[1], factories.lease(people[1]), now=now - timedelta(hours=3))
    numbers = live_numbers(campaign, now)
    assert (numbers.votes, numbers.votes_wanted, numbers.items) == (4, 8, 4)
    assert (numbers.people, numbers.at_work) == (2, 1)
    assert numbers.per_hour == pytest.approx(3 / (50 / 60))
    assert numbers.left == timedelta(hours=4 / numbers.per_hour)
    assert numbers.last_at == now - timedelta(minutes=2)
    close_campaign(campaign=campaign)
    campaign.refresh_from_db()
    assert live_numbers(campaign, now).ends_at is None


def test_live_numbers_of_nothing_are_zero(draft):
    numbers = live_numbers(draft, timezone.now())
    assert (numbers.votes, numbers.votes_wanted, numbers.per_hour, numbers.share) == (0, 0, 0, 0)
    assert not numbers.is_complete


def test_live_numbers_take_one_query(django_assert_num_queries):
    campaign, people = opened()
    factories.vote(people[0], factories.lease(people[0]))
    with django_assert_num_queries(1):
        live_numbers(campaign, timezone.now())


def test_votes_of_one_statement_are_counted_together():
    """Votes cast elsewhere come many in a statement, several on one item among them."""
    campaign, people = opened(prompts=2, k=3)
    for each in people[:3]:
        factories.vote(each, factories.lease(each))
    first = Vote.objects.order_by("pk").first()
    exclude(enrolment=people[0], rule="gold", detail="0 of 6", now=timezone.now())
    assert_tallies_are_true(campaign)
    assert ItemTally.objects.get(item=first.assignment.item).votes == 2


def test_campaign_whose_pulse_was_made_can_be_deleted():
    """Rows that go with their campaign leave no count behind that would keep it."""
    draft = factories.make_draft(prompts=1)
    factories.add_gold(draft, "check", 1)
    assert Pulse.objects.filter(campaign=draft).exists()
    draft.delete()
    assert not Pulse.objects.exists()
