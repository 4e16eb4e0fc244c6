"""Exactly k: leasing and what the database refuses."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.selectors import annotator_progress
from evalplatform.annotation.services import enrol, open_campaign
from tests import factories

pytestmark = pytest.mark.django_db


def test_opening_lays_out_k_slots_for_every_item(campaign):
    items = list(campaign.items.main())
    assert len(items) == 4 * 2
    for item in items:
        assert sorted(item.assignments.values_list("slot", flat=True)) == [1, 2, 3, 4, 5]


def test_opening_twice_changes_nothing(campaign):
    before = list(Assignment.objects.order_by("pk").values_list("pk", flat=True))
    assert open_campaign(campaign=campaign) is False
    assert list(Assignment.objects.order_by("pk").values_list("pk", flat=True)) == before


def test_opening_tells_how_far_it_is():
    told = []
    campaign = factories.make_bulk_draft(prompts=600)
    open_campaign(campaign=campaign, on_progress=lambda made, total: told.append((made, total)))
    slots = campaign.assignments.count()
    assert told[-1] == (slots, slots)
    assert 0 < told[0][0] < slots
    by_slot = campaign.assignments.values_list("item", "slot")
    assert len(set(by_slot)) == slots == 5 * campaign.item_count


def test_opening_without_all_samples_is_refused_and_leaves_no_slot(draft):
    from evalplatform.core.errors import BadInputError
    from evalplatform.generation.models import Sample

    Sample.objects.filter(pk=Sample.objects.first().pk).update(status="planned")
    with pytest.raises(BadInputError, match="1 of its images are not made yet"):
        open_campaign(campaign=draft)
    draft.refresh_from_db()
    assert (draft.status, draft.items.main().count(), Assignment.objects.count()) == ("draft", 0, 0)


def test_slot_beyond_k_cannot_be_stored(campaign):
    item = campaign.items.main().first()
    with pytest.raises(IntegrityError, match="slot 6 exceeds the 5 annotators"):
        Assignment.objects.create(
            campaign=campaign, item=item, slot=6, order=[0, 1], serve_order=999
        )


def test_same_slot_twice_cannot_be_stored(campaign):
    item = campaign.items.main().first()
    with pytest.raises(IntegrityError, match="assignment_one_per_slot"):
        Assignment.objects.create(
            campaign=campaign, item=item, slot=5, order=[0, 1], serve_order=999
        )


def test_same_annotator_twice_on_an_item_cannot_be_stored(campaign, ana):
    now = timezone.now()
    slots = campaign.items.main().first().assignments.all()
    lease = {"annotator": ana, "leased_at": now, "lease_expires_at": now + timedelta(minutes=1)}
    Assignment.objects.filter(pk=slots[0].pk).update(**lease)
    with pytest.raises(IntegrityError, match="assignment_once_per_annotator"):
        Assignment.objects.filter(pk=slots[1].pk).update(**lease)


def test_reload_resumes_at_the_same_pair_and_renews_the_lease(campaign, ana):
    enrolment = enrol(campaign=campaign, annotator=ana)
    start = timezone.now()
    first = factories.lease(enrolment, start)
    late = start + timedelta(seconds=0.6 * campaign.lease_seconds)
    again = factories.lease(enrolment, late)
    assert again.pk == first.pk
    assert again.lease_expires_at == late + timedelta(seconds=campaign.lease_seconds)


def test_expired_slot_goes_to_somebody_else(campaign, ana, ben):
    start = timezone.now()
    left = factories.lease(enrol(campaign=campaign, annotator=ana), start)
    bens = enrol(campaign=campaign, annotator=ben)
    assert factories.lease(bens, start).pk != left.pk
    Assignment.objects.filter(annotator=ben).update(
        annotator=None, leased_at=None, lease_expires_at=None
    )
    later = start + timedelta(seconds=campaign.lease_seconds + 1)
    assert factories.lease(bens, later).pk == left.pk


def test_nothing_is_left_for_an_annotator_who_judged_every_item(campaign, ana):
    assert factories.judge_everything(campaign, [ana], lambda assignment: "tie") == 8
    progress = annotator_progress(ana.enrolments.get(), held=0)
    assert (progress.done, progress.remaining) == (8, 0)
    assert Assignment.objects.completed().count() == 8


def test_visual_appeal_comes_before_any_prompt_is_shown(campaign, ana):
    """One criterion after the other: nobody judges appeal with the prompt fresh in mind."""
    seen = []

    def choose(assignment):
        seen.append(assignment.item.criterion.slug)
        return "tie"

    factories.judge_everything(campaign, [ana], choose)
    assert seen == ["visual_appeal"] * 4 + ["text_faithfulness"] * 4


def test_which_slot_shows_the_first_arm_on_the_left_is_random(campaign):
    patterns = {
        tuple(slot.order[0] for slot in each.assignments.order_by("slot"))
        for each in campaign.items.main()
    }
    assert len(patterns) > 2


@pytest.mark.django_db(transaction=True)
def test_twelve_simultaneous_annotators_leave_exactly_k_votes_each():
    """Threads with connections of their own race for every slot; each gets k distinct people."""
    campaign = factories.make_draft(prompts=6, k=5)
    open_campaign(campaign=campaign)
    annotators = [Annotator.objects.create() for _ in range(12)]
    start, failures = threading.Barrier(len(annotators)), []

    def work(annotator):
        try:
            enrolment = enrol(campaign=campaign, annotator=annotator)
            start.wait()
            while assignment := factories.lease(enrolment):
                factories.vote(enrolment, assignment)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[each]) for each in annotators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for item in campaign.items.main():
        votes = [a.votes.get() for a in item.assignments.all()]
        assert len(votes) == 5
        assert len({vote.annotator_id for vote in votes}) == 5


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_one_annotator_share_one_lease(campaign, ana):
    enrolment = enrol(campaign=campaign, annotator=ana)
    start, leased = threading.Barrier(2), []

    def tab():
        start.wait()
        leased.append(factories.lease(enrolment).pk)
        connection.close()

    tabs = [threading.Thread(target=tab) for _ in range(2)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join()
    assert leased[0] == leased[1]


def test_public_ids_are_unpredictable(campaign):
    identifiers = set(Assignment.objects.values_list("public_id", flat=True))
    assert len(identifiers) == 40
    assert all(isinstance(each, uuid.UUID) and each.version == 4 for each in identifiers)


def test_lease_without_annotator_cannot_be_stored(campaign):
    slot = Assignment.objects.first()
    with pytest.raises(IntegrityError, match="assignment_lease_is_whole"), transaction.atomic():
        Assignment.objects.filter(pk=slot.pk).update(lease_expires_at=timezone.now())
