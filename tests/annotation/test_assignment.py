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
from evalplatform.annotation.services import (
    enrol,
    open_campaign,
    plan_sides,
    surplus_sides,
)
from tests import factories

pytestmark = pytest.mark.django_db


def test_opening_lays_out_k_slots_for_every_comparison(campaign):
    comparisons = list(campaign.comparisons.all())
    assert len(comparisons) == 4 * 2
    for comparison in comparisons:
        assert sorted(comparison.assignments.values_list("slot", flat=True)) == [1, 2, 3, 4, 5]


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
    by_slot = campaign.assignments.values_list("comparison", "slot")
    assert len(set(by_slot)) == slots == 5 * campaign.comparison_count


def test_opening_without_all_samples_is_refused_and_leaves_no_slot(draft):
    from evalplatform.core.errors import BadInputError
    from evalplatform.generation.models import Sample

    Sample.objects.filter(pk=Sample.objects.first().pk).update(status="planned")
    with pytest.raises(BadInputError, match="1 prompts still lack a sample"):
        open_campaign(campaign=draft)
    draft.refresh_from_db()
    assert (draft.status, draft.comparisons.count(), Assignment.objects.count()) == ("draft", 0, 0)


def test_slot_beyond_k_cannot_be_stored(campaign):
    comparison = campaign.comparisons.first()
    with pytest.raises(IntegrityError, match="slot 6 exceeds the 5 annotators"):
        Assignment.objects.create(
            campaign=campaign, comparison=comparison, slot=6, a_on_left=True, serve_order=999
        )


def test_same_slot_twice_cannot_be_stored(campaign):
    comparison = campaign.comparisons.first()
    with pytest.raises(IntegrityError, match="assignment_one_per_slot"):
        Assignment.objects.create(
            campaign=campaign, comparison=comparison, slot=5, a_on_left=True, serve_order=999
        )


def test_same_annotator_twice_on_a_comparison_cannot_be_stored(campaign, ana):
    now = timezone.now()
    slots = campaign.comparisons.first().assignments.all()
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


def test_nothing_is_left_for_an_annotator_who_judged_every_comparison(campaign, ana):
    assert factories.judge_everything(campaign, [ana], lambda assignment: "tie") == 8
    progress = annotator_progress(ana.enrolments.get(), held=0)
    assert (progress.done, progress.remaining) == (8, 0)
    assert Assignment.objects.completed().count() == 8


def test_visual_appeal_comes_before_any_prompt_is_shown(campaign, ana):
    """One criterion after the other: nobody judges appeal with the prompt fresh in mind."""
    seen = []

    def choose(assignment):
        seen.append(assignment.comparison.criterion.kind)
        return "tie"

    factories.judge_everything(campaign, [ana], choose)
    assert seen == ["visual_appeal"] * 4 + ["text_faithfulness"] * 4


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_sides_are_balanced_over_two_comparisons(k):
    import numpy as np

    rng = np.random.default_rng(0)
    first, second = (plan_sides(k=k, surplus=each, rng=rng) for each in surplus_sides(2, rng))
    assert len(first) == len(second) == k
    assert sum(first) + sum(second) == k
    assert abs(sum(first) - k / 2) <= 0.5


def test_which_slot_shows_a_on_the_left_is_random(campaign):
    patterns = {
        tuple(each.assignments.order_by("slot").values_list("a_on_left", flat=True))
        for each in campaign.comparisons.all()
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
    for comparison in campaign.comparisons.all():
        votes = [a.votes.get() for a in comparison.assignments.all()]
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
