"""Votes: stored once, as they were pressed and as grades by place, never lost."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.annotation.services import (
    Receipt,
    UnknownAssignmentError,
    enrol,
    open_campaign,
)
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leased(campaign, ana):
    return factories.lease(enrol(campaign=campaign, annotator=ana))


def vote(annotator, assignment, said="left", **fields):
    return factories.vote(annotator.enrolments.get(), assignment, said, **fields)


def slots_by_first_shown(campaign):
    """Return a slot of each of the campaign's orders, by which place is shown first."""
    return {slot.order[0]: slot for slot in Assignment.objects.main().filter(campaign=campaign)}


@pytest.mark.parametrize(
    ("said", "first", "grades"),
    [
        ("left", 0, [1, 0]),
        ("left", 1, [0, 1]),
        ("right", 0, [0, 1]),
        ("right", 1, [1, 0]),
        ("tie", 0, [0, 0]),
        ("tie", 1, [0, 0]),
    ],
)
def test_side_becomes_grades_by_place(campaign, ana, said, first, grades):
    enrol(campaign=campaign, annotator=ana)
    slot = slots_by_first_shown(campaign)[first]
    assert vote(ana, slot, said, response_time_ms=1234) is Receipt.RECORDED
    stored = Vote.objects.get()
    assert (stored.form, stored.answer, stored.response_time_ms) == ("pair", said, 1234)
    assert (stored.order, stored.grades) == ([first, 1 - first], grades)
    assert stored.is_simulated is False
    slot.refresh_from_db()
    assert slot.completed_at is not None


def test_ranking_becomes_grades_by_place(ana):
    campaign = factories.make_draft(
        prompts=2, k=3, arms=3, design="together", form="ranking", criteria=["visual_appeal"]
    )
    open_campaign(campaign=campaign)
    mine = enrol(campaign=campaign, annotator=ana)
    slot = factories.lease(mine)
    assert factories.vote(mine, slot, "2>0=1") is Receipt.RECORDED
    stored = Vote.objects.get()
    assert (stored.form, stored.answer, stored.order) == ("ranking", "2>0=1", slot.order)
    best = slot.order[2]
    assert stored.grades == [int(place == best) for place in range(3)]


def test_marks_are_stored_and_those_of_no_head_refused(ana):
    plan = replace(plan_criterion("visual_appeal", 2, "keep_reject"), heads=("hands", "text"))
    campaign = factories.make_draft(prompts=2, arms=1, criteria=[plan])
    open_campaign(campaign=campaign)
    mine = enrol(campaign=campaign, annotator=ana)
    slot = factories.lease(mine)
    for marks in (("feet",), ("hands", "hands"), ("hands", "feet")):
        with pytest.raises(BadInputError, match="send each once, of these: hands, text"):
            factories.vote(mine, slot, "reject", marks=marks)
    assert Vote.objects.count() == 0
    factories.vote(mine, slot, "reject", marks=("text", "hands"))
    stored = Vote.objects.get()
    assert (stored.marks, stored.grades) == (["text", "hands"], [0])


def test_resent_vote_is_acknowledged_and_stored_once(leased, ana):
    key = uuid.uuid4()
    assert vote(ana, leased, idempotency_key=key) is Receipt.RECORDED
    assert vote(ana, leased, idempotency_key=key) is Receipt.REPEATED
    assert Vote.objects.count() == 1


def test_late_vote_counts_while_nobody_else_has_the_slot(leased, ana):
    past = timezone.now() - timedelta(days=1)
    Assignment.objects.filter(pk=leased.pk).update(
        leased_at=past, lease_expires_at=past + timedelta(seconds=1)
    )
    assert vote(ana, leased) is Receipt.RECORDED


def test_late_vote_on_a_reassigned_slot_is_kept_but_not_counted(leased, ana, ben, campaign):
    enrol(campaign=campaign, annotator=ben)
    Assignment.objects.filter(pk=leased.pk).update(annotator=ben)
    key = uuid.uuid4()
    assert vote(ana, leased, idempotency_key=key) is Receipt.SURPLUS
    assert vote(ana, leased, idempotency_key=key) is Receipt.SURPLUS
    assert Vote.objects.count() == 0
    kept = SurplusVote.objects.get()
    assert (kept.annotator, kept.reason, kept.answer) == (ana, "slot_reassigned", "left")
    assert vote(ben, leased) is Receipt.RECORDED


def test_second_answer_to_the_same_pair_is_kept_but_not_counted(leased, ana):
    vote(ana, leased, "left")
    assert vote(ana, leased, "right") is Receipt.SURPLUS
    assert Vote.objects.get().answer == "left"
    assert SurplusVote.objects.get().reason == "already_answered"


def test_vote_after_closing_is_kept_but_not_counted(leased, ana, campaign):
    assert close_campaign(campaign=campaign)
    assert vote(ana, leased) is Receipt.SURPLUS
    assert SurplusVote.objects.get().reason == "campaign_closed"


def test_outsider_cannot_vote(leased, oscar):
    elsewhere = factories.make_draft(prompts=1, slug="elsewhere")
    open_campaign(campaign=elsewhere)
    with pytest.raises(UnknownAssignmentError):
        factories.vote(enrol(campaign=elsewhere, annotator=oscar), leased)
    assert (Vote.objects.count(), SurplusVote.objects.count()) == (0, 0)


def test_simulated_annotators_votes_are_marked(leased, ana):
    ana.is_simulated = True
    ana.save()
    vote(ana, leased)
    assert Vote.objects.get().is_simulated is True


@pytest.mark.parametrize(
    "fields",
    [
        {"answer": ""},
        {"response_time_ms": -1},
        {"response_time_ms": 2**31},
    ],
)
def test_answer_out_of_range_is_refused(leased, fields):
    with pytest.raises(BadInputError):
        factories.make_answer(leased, **fields)


@pytest.mark.parametrize(
    "said", ["A", "both", "LEFT", "1=0", " left", "left\0", "x" * 41, "x" * 5000]
)
def test_answer_that_the_form_does_not_offer_is_refused(leased, ana, said):
    with pytest.raises(BadInputError, match="send one of left, tie, right"):
        vote(ana, leased, said)
    assert (Vote.objects.count(), SurplusVote.objects.count()) == (0, 0)
    assert vote(ana, leased, "left") is Receipt.RECORDED


def test_second_counting_vote_on_a_slot_cannot_be_stored(leased, ana):
    vote(ana, leased)
    first = Vote.objects.get()
    first.pk, first.idempotency_key = None, uuid.uuid4()
    with pytest.raises(IntegrityError, match="vote_one_per_assignment"):
        first.save(force_insert=True)
