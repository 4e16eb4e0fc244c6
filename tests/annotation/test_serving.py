"""Which pair comes next, for whom, and what makes a slot come back."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, Release
from evalplatform.annotation.services import (
    Receipt,
    enrol,
    give_back,
    lease_items,
    open_campaign,
    skip_assignment,
)
from evalplatform.annotation.turns import walk_of
from evalplatform.campaigns.services import pause_campaign, resume_campaign
from evalplatform.core.errors import BadInputError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def opened(rules=None, **options):
    campaign = factories.make_draft(rules=rules, **options)
    open_campaign(campaign=campaign)
    return campaign


def enrolled(campaign, count=1):
    people = [Annotator.objects.create() for _ in range(count)]
    return [enrol(campaign=campaign, annotator=each) for each in people]


def skip(enrolment, assignment, reason="cannot_judge"):
    return skip_assignment(
        enrolment=enrolment, public_id=assignment.public_id, reason=reason, now=timezone.now()
    )


def hold(enrolment, want=3, now=None):
    return lease_items(enrolment=enrolment, want=want, now=now or timezone.now())


def test_three_pairs_are_held_and_keep_their_order(campaign):
    (mine,) = enrolled(campaign)
    first = hold(mine)
    assert [each.pk for each in hold(mine)] == [each.pk for each in first]
    assert len({each.item_id for each in first}) == 3
    factories.vote(mine, first[0])
    assert [each.pk for each in hold(mine)][:2] == [first[1].pk, first[2].pk]


def test_item_nearest_to_completion_is_served_first():
    campaign = opened(prompts=5, criteria=["visual_appeal"])
    people = enrolled(campaign, 7)
    for person in people[:5]:
        for _ in range(2):
            factories.vote(person, factories.lease(person))
    # Two items have their five votes: a newcomer starts with the third.
    assert factories.lease(people[5]).item.position == 2
    assert factories.lease(people[6]).item.position == 2


def test_what_came_back_is_served_before_anything_new():
    campaign = opened(prompts=5, criteria=["visual_appeal"])
    quitter, other = enrolled(campaign, 2)
    for _ in range(3):
        factories.vote(other, factories.lease(other))
    # The other four annotators take the remaining slots of item 0.
    skipped = factories.lease(quitter)
    assert skipped.item.position == 0
    third, fourth, fifth, newcomer = enrolled(campaign, 4)
    for person in (third, fourth, fifth):
        assert factories.lease(person).item.position == 0
    assert factories.lease(newcomer).item.position == 1
    skip(quitter, skipped)
    factories.vote(newcomer, factories.lease(newcomer))
    assert factories.lease(newcomer).pk == skipped.pk


def test_skipped_pair_is_free_for_others_and_never_offered_again(campaign):
    mine, other = enrolled(campaign, 2)
    pair = factories.lease(mine)
    assert skip(mine, pair, "unsafe") is Receipt.SKIPPED
    assert skip(mine, pair, "unsafe") is Receipt.REPEATED
    assert Release.objects.get().reason == "unsafe"
    assert factories.lease(other).pk == pair.pk
    seen = []
    while (next_pair := factories.lease(mine)) is not None:
        seen.append(next_pair.item_id)
        factories.vote(mine, next_pair)
    assert pair.item_id not in seen
    assert len(seen) == 7


def test_skip_needs_a_reason(campaign):
    (mine,) = enrolled(campaign)
    pair = factories.lease(mine)
    with pytest.raises(BadInputError, match="send one of broken_image"):
        skip(mine, pair, "boring")
    assert factories.lease(mine).pk == pair.pk


def test_vote_on_a_pair_this_annotator_skipped_is_kept_as_surplus(campaign):
    (mine,) = enrolled(campaign)
    pair = factories.lease(mine)
    skip(mine, pair)
    assert factories.vote(mine, pair) is Receipt.SURPLUS
    assert mine.annotator.surplus.get().reason == "was_skipped"


def test_late_vote_counts_on_a_slot_that_came_back_and_is_still_free():
    campaign = opened(k=1)
    mine, other = enrolled(campaign, 2)
    start = timezone.now()
    pair = factories.lease(mine, start)
    later = start + timedelta(seconds=campaign.lease_seconds + 1)
    factories.vote(other, factories.lease(other, later), now=later)
    assert factories.lease(other, later).pk == pair.pk
    give_back(enrolment=other, now=later)
    assert factories.vote(mine, pair, now=later) is Receipt.RECORDED
    pair.refresh_from_db()
    assert pair.annotator_id == mine.annotator_id


def test_annotator_who_left_gives_their_pairs_back_and_keeps_their_votes(campaign):
    mine, other = enrolled(campaign, 2)
    factories.vote(mine, factories.lease(mine))
    held = {each.pk for each in hold(mine)}
    assert give_back(enrolment=mine, now=timezone.now()) == 3
    assert mine.annotator.votes.filter(exclusion=None).count() == 1
    assert hold(mine) == []
    assert Assignment.objects.filter(pk__in=held, annotator=None).count() == 3
    del other


def test_who_judged_faithfulness_of_a_pair_is_not_asked_for_its_appeal():
    """A late appeal slot of a pair whose prompt was read goes to somebody else."""
    campaign = opened(prompts=1, k=2)
    first, second, newcomer = enrolled(campaign, 3)
    appeal = factories.lease(first)
    factories.vote(second, factories.lease(second))
    factories.vote(second, factories.lease(second))  # has read the prompt
    skip(first, appeal)
    assert factories.lease(second) is None
    assert factories.lease(newcomer).pk == appeal.pk


def test_rule_one_criterion_shows_a_pair_to_an_annotator_once():
    campaign = opened({"annotation": {"same_pair": "one_criterion"}}, prompts=3)
    (mine,) = enrolled(campaign)
    while (pair := factories.lease(mine)) is not None:
        factories.vote(mine, pair)
    judged = mine.annotator.assignments.select_related("item")
    assert len({each.item.image_set_id for each in judged}) == len(judged) == 3


def test_unrestricted_rule_serves_an_earlier_criterion_after_a_later_one():
    campaign = opened({"annotation": {"same_pair": "unrestricted"}}, prompts=1, k=2)
    first, second = enrolled(campaign, 2)
    appeal = factories.lease(first)
    factories.vote(second, factories.lease(second))
    factories.vote(second, factories.lease(second))
    skip(first, appeal)
    # Second judged this item already; a newcomer who read the prompt elsewhere may take it.
    third = enrolled(campaign)[0]
    faithful = Assignment.objects.get(item__criterion__slug="text_faithfulness", annotator=None)
    now = timezone.now()
    Assignment.objects.filter(pk=faithful.pk).update(
        annotator=third.annotator, leased_at=now, lease_expires_at=now + timedelta(minutes=1)
    )
    factories.vote(third, faithful)
    assert factories.lease(third).pk == appeal.pk


def test_session_cap_ends_the_session():
    campaign = opened({"annotation": {"session_cap": 3}})
    (mine,) = enrolled(campaign)
    assert len(hold(mine, want=5)) == 3
    for _ in range(3):
        factories.vote(mine, factories.lease(mine))
    assert factories.lease(mine) is None


def test_paused_campaign_leases_nothing_but_takes_the_answers_under_way(campaign):
    (mine,) = enrolled(campaign)
    pair = factories.lease(mine)
    assert pause_campaign(campaign=campaign)
    assert hold(mine) == []
    assert factories.vote(mine, pair) is Receipt.RECORDED
    assert resume_campaign(campaign=campaign)
    assert factories.lease(mine) is not None


def test_slot_whose_taker_was_killed_is_found_at_the_end(campaign):
    """Free behind the cursor without having come back: the one place a kill can leave a slot."""
    (mine,) = enrolled(campaign)
    Enrolment.objects.filter(pk=mine.pk).update(cursor=7)
    assert factories.lease(mine) is not None


def test_leasing_reads_no_more_when_much_has_been_judged():
    """The search walks a cursor: rows read do not grow with what this annotator judged."""
    campaign = factories.make_bulk_draft(prompts=2000, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    (mine,) = enrolled(campaign)
    first = rows_read(mine)
    assert first < 20
    for _ in range(60):
        factories.vote(mine, factories.lease(mine))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_assignment")  # as autovacuum does
    # At most the four other slots of the item at the cursor come on top.
    assert rows_read(mine) <= first + 4 * 2


def test_leasing_reads_no_more_where_statistics_do_not_know_the_annotator():
    """Who came after the last ANALYZE has no rows as PostgreSQL believes; any index looks cheap."""
    campaign = factories.make_bulk_draft(prompts=500, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    known, newcomer = enrolled(campaign, 2)
    for each in (known, newcomer):
        for _ in range(30):
            factories.vote(each, factories.lease(each))
        with connection.cursor() as cursor:
            if each == known:
                cursor.execute("ANALYZE annotation_assignment")
    connection.close()  # plans are made anew
    assert rows_read(newcomer) < 20


@pytest.mark.own_start
def test_what_is_left_for_somebody_is_found_in_few_readings_and_in_their_order():
    """Their walk has dozens of rounds, each of which reads all that is free for others."""
    campaign = factories.make_bulk_draft(prompts=1500, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    (mine,) = enrolled(campaign)
    free = Assignment.objects.filter(campaign=campaign).count()
    bar(mine, campaign.items.order_by("position"))
    assert rows_read(mine, finds=False) <= 6 * free
    left = list(campaign.items.order_by("position")[100::350])
    Release.objects.filter(item__in=left).delete()
    assert rows_read(mine) <= 6 * free
    walked = []
    while given := factories.lease(mine):
        walked.append(given.item.position)
        factories.vote(mine, given)
    assert walked == sorted((each.position for each in left), key=lambda at: step(mine, at))


def bar(enrolment, items) -> None:
    """Let nothing of these items be for them."""
    slots = Assignment.objects.filter(item__in=items, slot=1)
    Release.objects.bulk_create(
        Release(
            assignment=slot, item_id=slot.item_id, annotator=enrolment.annotator, reason="own_work"
        )
        for slot in slots
    )


def step(enrolment, position: int) -> int:
    """Return where a position comes in their walk."""
    outline = json.dumps(enrolment.campaign.outline)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT annotation_step(%s, %s, %s, %s)", [position, outline, *walk_of(enrolment)]
        )
        return cursor.fetchone()[0]


def rows_read(enrolment, *, finds: bool = True) -> int:
    """Return how many assignment rows the next lease reads, as PostgreSQL counts them."""
    count = (
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
        " FROM pg_stat_xact_user_tables WHERE relname = 'annotation_assignment'"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(count)
        before = cursor.fetchone()[0]
        assert bool(factories.lease(enrolment)) == finds
        cursor.execute(count)
        after = cursor.fetchone()[0]
        transaction.set_rollback(True)
    return after - before


def test_next_and_vote_take_a_fixed_number_of_queries(campaign):
    (mine,) = enrolled(campaign)
    first = factories.lease(mine)
    with CaptureQueriesContext(connection) as voting:
        factories.vote(mine, first)
    with CaptureQueriesContext(connection) as leasing:
        factories.lease(mine)
    # BEGIN and COMMIT counted.
    assert (len(voting), len(leasing)) <= (10, 10)


def test_check_without_annotator_cannot_be_stored(campaign):
    item = campaign.items.main().first()
    with pytest.raises(IntegrityError, match="assignment_slot_or_check"):
        Assignment.objects.create(
            campaign=campaign, item=item, purpose="repeat", order=[0, 1], serve_order=0
        )


def test_main_assignment_without_a_slot_cannot_be_stored(campaign):
    item = campaign.items.main().first()
    with pytest.raises(IntegrityError, match="assignment_slot_or_check"):
        Assignment.objects.create(campaign=campaign, item=item, order=[0, 1], serve_order=0)
