"""Taking the last vote back: within a window, as history, never by changing what was stored."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from evalplatform.annotation.models import Enrolment, Vote
from evalplatform.annotation.services import Receipt, enrol, open_campaign, undo_vote
from evalplatform.annotation.services.locking import lock
from evalplatform.annotation.statements import store_vote
from evalplatform.campaigns.services import close_campaign
from tests import factories
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mine(campaign, ana):
    return enrol(campaign=campaign, annotator=ana)


def undo(enrolment, key=None, now=None):
    return undo_vote(enrolment=enrolment, key=key, now=now or timezone.now())


def test_undone_vote_stays_stored_and_its_pair_comes_first_again(mine):
    pair = factories.lease(mine)
    factories.vote(mine, pair, "left")
    assert factories.lease(mine).pk != pair.pk
    assert undo(mine) is Receipt.UNDONE
    assert factories.lease(mine).pk == pair.pk
    assert factories.vote(mine, pair, "right") is Receipt.RECORDED
    history = [(vote.answer, vote.retracted_at is not None) for vote in Vote.objects.order_by("pk")]
    assert history == [("left", True), ("right", False)]


def test_undo_that_waited_for_a_vote_in_another_tab_takes_that_vote_back(mine):
    pair = factories.lease(mine)
    with ThreadPoolExecutor(1) as other_tab:
        with transaction.atomic():
            lock(mine)
            receipt = other_tab.submit(undo_in_own_connection, mine.pk)
            wait_until_somebody_waits()
            stored = Vote(
                assignment=pair, annotator=mine.annotator, form="pair", answer="tie",
                order=pair.order, grades=[0, 0], idempotency_key=uuid.uuid4(), is_simulated=False,
                voted_at=timezone.now(),
            )  # fmt: skip
            store_vote(mine, stored)
        assert receipt.result(timeout=30) is Receipt.UNDONE
    stored.refresh_from_db()
    assert stored.retracted_at is not None


def undo_in_own_connection(pk):
    try:
        return undo(Enrolment.objects.get(pk=pk))
    finally:
        connection.close()


def test_undo_lowers_the_progress_by_one(mine):
    for _ in range(2):
        factories.vote(mine, factories.lease(mine))
    undo(mine)
    mine.refresh_from_db()
    assert mine.judged == 1


def test_only_the_last_vote_can_be_taken_back(mine):
    key = uuid.uuid4()
    factories.vote(mine, factories.lease(mine), idempotency_key=key)
    factories.vote(mine, factories.lease(mine))
    assert undo(mine, key) is Receipt.TOO_LATE
    assert undo(mine) is Receipt.UNDONE
    assert undo(mine) is Receipt.TOO_LATE
    assert Vote.objects.filter(retracted_at=None).count() == 1


def test_resent_undo_is_acknowledged_and_undoes_nothing_more(mine):
    keys = [uuid.uuid4(), uuid.uuid4()]
    for key in keys:
        factories.vote(mine, factories.lease(mine), idempotency_key=key)
    assert undo(mine, keys[1]) is Receipt.UNDONE
    assert undo(mine, keys[1]) is Receipt.REPEATED
    assert Vote.objects.filter(retracted_at=None).count() == 1


def test_vote_resent_after_its_undo_is_acknowledged_and_stays_undone(mine):
    pair, key = factories.lease(mine), uuid.uuid4()
    factories.vote(mine, pair, idempotency_key=key)
    undo(mine, key)
    assert factories.vote(mine, pair, idempotency_key=key) is Receipt.REPEATED
    assert Vote.objects.filter(retracted_at=None).count() == 0


@pytest.mark.parametrize(("seconds", "receipt"), [(300, "too_late"), (299, "undone")])
def test_window_is_the_campaigns(mine, seconds, receipt):
    start = timezone.now()
    factories.vote(mine, factories.lease(mine), now=start)
    assert undo(mine, now=start + timedelta(seconds=seconds)) == receipt


def test_campaign_without_a_window_undoes_nothing(ana):
    campaign = factories.make_draft(rules={"annotation": {"undo_seconds": 0}})
    open_campaign(campaign=campaign)
    mine = enrol(campaign=campaign, annotator=ana)
    factories.vote(mine, factories.lease(mine))
    assert undo(mine) is Receipt.TOO_LATE


def test_nothing_is_undone_after_closing(mine, campaign):
    factories.vote(mine, factories.lease(mine))
    close_campaign(campaign=campaign)
    assert undo(mine) is Receipt.TOO_LATE


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "tie", "grades": [0, 0]},
        {"marks": ["hands"]},
        {"response_time_ms": 1},
        {"zoomed": True},
    ],
)
def test_stored_vote_cannot_be_changed(mine, change):
    factories.vote(mine, factories.lease(mine), "left")
    with pytest.raises(IntegrityError, match="a stored vote is never changed"):
        Vote.objects.update(**change)


def test_stored_vote_cannot_be_deleted(mine):
    factories.vote(mine, factories.lease(mine))
    with pytest.raises(IntegrityError, match="votes are never deleted"):
        Vote.objects.all().delete()
