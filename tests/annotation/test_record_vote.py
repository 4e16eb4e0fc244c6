"""Votes: stored once, by identity and by side, never lost."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from evalplatform.annotation.models import Assignment, Outcome, SurplusVote, Vote
from evalplatform.annotation.services import (
    Receipt,
    UnknownAssignmentError,
    enrol,
    open_campaign,
    outcome_of,
)
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leased(campaign, ana):
    return factories.lease(enrol(campaign=campaign, annotator=ana))


def vote(annotator, assignment, choice="left", **fields):
    enrolment = annotator.enrolments.get()
    return factories.vote(enrolment, assignment, choice, **fields)


@pytest.mark.parametrize(
    ("choice", "a_on_left", "outcome"),
    [
        ("left", True, Outcome.A),
        ("left", False, Outcome.B),
        ("right", True, Outcome.B),
        ("right", False, Outcome.A),
        ("tie", True, Outcome.TIE),
        ("tie", False, Outcome.TIE),
    ],
)
def test_side_becomes_identity(choice, a_on_left, outcome):
    assert outcome_of(choice, a_on_left=a_on_left) == outcome


@pytest.mark.parametrize("a_on_left", [True, False])
def test_vote_is_stored_by_identity_and_by_side(leased, ana, a_on_left):
    Assignment.objects.filter(pk=leased.pk).update(a_on_left=a_on_left)
    assert vote(ana, leased, "left", response_time_ms=1234) is Receipt.RECORDED
    stored = Vote.objects.get()
    assert (stored.choice, stored.a_on_left, stored.response_time_ms) == ("left", a_on_left, 1234)
    assert stored.outcome == ("A" if a_on_left else "B")
    assert stored.is_simulated is False
    leased.refresh_from_db()
    assert leased.completed_at is not None


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
    assert (kept.annotator, kept.reason, kept.choice) == (ana, "slot_reassigned", "left")
    assert vote(ben, leased) is Receipt.RECORDED


def test_second_answer_to_the_same_pair_is_kept_but_not_counted(leased, ana):
    vote(ana, leased, "left")
    assert vote(ana, leased, "right") is Receipt.SURPLUS
    assert Vote.objects.get().choice == "left"
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
    [{"choice": "A"}, {"choice": ""}, {"response_time_ms": -1}, {"response_time_ms": 2**31}],
)
def test_answer_out_of_range_is_refused(leased, fields):
    with pytest.raises(BadInputError):
        factories.make_answer(leased, **fields)


def test_outcome_that_contradicts_the_side_cannot_be_stored(leased, ana):
    with pytest.raises(IntegrityError, match="vote_outcome_matches_side"):
        Vote.objects.create(
            assignment=leased,
            annotator=ana,
            choice="left",
            a_on_left=True,
            outcome="B",
            idempotency_key=uuid.uuid4(),
            is_simulated=False,
            voted_at=timezone.now(),
        )


def test_second_counting_vote_on_a_slot_cannot_be_stored(leased, ana):
    vote(ana, leased)
    first = Vote.objects.get()
    first.pk, first.idempotency_key = None, uuid.uuid4()
    with pytest.raises(IntegrityError, match="vote_one_per_assignment"):
        first.save(force_insert=True)
