"""Every annotator walks the campaign from a place and by a stride of their own, round and round."""

import json
import random
from itertools import combinations

import numpy as np
import pytest
from django.db import connection

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.annotation.turns import walk_of
from tests import factories
from tests.stats.ring_studies import walk as studied_walk

pytestmark = [pytest.mark.django_db, pytest.mark.own_start]


def begin(campaign, name: str, rotation: float):
    """Enrol somebody whose walk begins at this share of each criterion."""
    enrolment = enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym=name))
    enrolment.check_seed = round(rotation * 1_000_003)
    enrolment.save(update_fields=["check_seed"])
    return enrolment


def walk(enrolment) -> list[int]:
    """Judge all there is; return the serve order of each item in turn."""
    met = []
    while (assignment := factories.lease(enrolment)) is not None:
        met.append(assignment.item.position)
        factories.vote(enrolment, assignment, "tie")
    return met


def make(prompts=8, k=3, **options):
    campaign = factories.make_draft(prompts=prompts, k=k, **options)
    open_campaign(campaign=campaign)
    return campaign


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.99])
def test_walk_begins_at_its_own_place_of_each_criterion_and_wraps_round(share):
    campaign = make()
    begins = int(share * 8)
    expected = [*range(begins, 8), *range(begins)]
    assert walk(begin(campaign, "ana", share)) == expected + [8 + each for each in expected]


def test_walk_that_rules_start_at_the_first_item_is_the_same_for_all():
    campaign = make(rules={"annotation": {"start": "first"}})
    assert walk(begin(campaign, "ana", 0.6)) == walk(begin(campaign, "ben", 0.3)) == list(range(16))


def test_annotators_begin_at_different_places_unless_told_otherwise():
    campaign = make()
    people = [enrol(campaign=campaign, annotator=Annotator.objects.create()) for _ in range(12)]
    assert len({factories.lease(each).item.position for each in people}) > 1
    assert len({walk_of(each) for each in people}) == 12


def test_every_item_gets_exactly_its_votes_however_walks_are_turned():
    campaign = make(prompts=7, k=3)
    rng = random.Random(4)
    people = [begin(campaign, f"p{index}", rng.random()) for index in range(5)]
    busy = True
    while busy:
        busy = False
        for person in rng.sample(people, len(people)):
            assignment = factories.lease(person)
            if assignment is not None:
                factories.vote(person, assignment, rng.choice(["left", "tie", "right"]))
                busy = True
    slots = Assignment.objects.main().filter(campaign=campaign)
    assert slots.count() == slots.completed().count() == 7 * 2 * 3


def test_nobody_meets_an_earlier_criterion_of_a_set_after_a_later_one():
    campaign = make(prompts=6, k=2)
    seen: dict[int, int] = {}
    enrolment = begin(campaign, "ana", 0.7)
    while (assignment := factories.lease(enrolment)) is not None:
        position = assignment.item.criterion.slug == "text_faithfulness"
        assert seen.get(assignment.item.image_set_id, 0) <= position
        seen[assignment.item.image_set_id] = position
        factories.vote(enrolment, assignment, "left")
    assert len(seen) == 6


def test_progress_never_rises_nor_falls_back_on_a_turned_walk_with_checks(steady_turns):
    quality = {"quality": {"gold_rate": 0.2, "repeat_rate": 0.1, "repeat_gap": 1}}
    campaign = factories.make_draft(prompts=12, k=2, rules=quality)
    factories.add_gold(campaign, "check", 4)
    open_campaign(campaign=campaign)
    enrolment = begin(campaign, "ana", 0.4)
    totals = []
    while (assignment := factories.lease(enrolment)) is not None:
        enrolment.refresh_from_db()
        totals.append(enrolment.total)
        factories.vote(enrolment, assignment, "left")
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] == len(totals)


def test_slot_that_came_back_behind_a_turned_walk_is_served_first():
    campaign = make(prompts=6, k=1)
    ana, ben = begin(campaign, "ana", 0.5), begin(campaign, "ben", 0.5)
    first = factories.lease(ana)
    for _ in range(2):  # Ben passes the first item, which Ana holds
        assignment = factories.lease(ben)
        factories.vote(ben, assignment, "left")
    Assignment.objects.filter(pk=first.pk).update(
        annotator=None, leased_at=None, lease_expires_at=None, released_at=first.leased_at
    )
    assert factories.lease(ben).pk == first.pk


STEP = """
SELECT annotation_step(position, %s::jsonb, %s, %s) FROM generate_series(0, %s) position
"""


def steps(outline, walk) -> list[int]:
    """Return the step of each position of a campaign."""
    with connection.cursor() as cursor:
        cursor.execute(STEP, [json.dumps(outline), *walk, outline[-1][1] - 1])
        return [step for (step,) in cursor]


@pytest.mark.parametrize("stride", [0.0, 1 / 96, 0.03, 1 / 24])
@pytest.mark.parametrize("rotation", [0.0, 0.37, 0.999])
def test_walk_meets_every_item_of_a_criterion_once_before_the_next_one(rotation, stride):
    outline = [[1, 1, 0], [2, 98, 0], [3, 1730, 0], [4, 6000, 0]]
    found, start = np.array(steps(outline, (rotation, stride))), 0
    for _, end, _ in outline:
        order = np.argsort(found[start:end])
        assert found[start:end][order].tolist() == list(range(start, end))
        assert order.tolist() == studied_walk(end - start, rotation, stride).tolist()
        start = end


def test_slots_are_found_in_the_order_of_the_walk():
    campaign = make(prompts=50, k=1)
    annotator = Annotator.objects.create()
    outline = json.dumps(campaign.outline)
    for walk in [(0.0, 0.0), (0.41, 1 / 24), (0.9, 1 / 10), (0.5, 1 / 3)]:
        expected = steps(campaign.outline, walk)
        met, step = [], -1
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT slot.serve_order, free.found_step FROM annotation_first_free("
                    "%s, %s, %s, %s, %s, %s, 'unrestricted', -1) free "
                    "JOIN annotation_assignment slot ON slot.id = free.found_id",
                    [campaign.pk, annotator.pk, step, outline, *walk],
                )
                row = cursor.fetchone()
            if row is None:
                break
            position, step = row
            assert step == expected[position] == len(met)
            met.append(position)
        assert sorted(met) == list(range(100))


def test_people_who_judge_a_tenth_of_a_campaign_share_items_with_nearly_everybody():
    campaign = make(prompts=2, k=1)
    size, judged = 1632, []
    for _ in range(24):
        walk = walk_of(enrol(campaign=campaign, annotator=Annotator.objects.create()))
        found = steps([[1, size, 0]], walk)
        judged.append({position for position, step in enumerate(found) if step < size // 10})
    shared = [len(one & other) for one, other in combinations(judged, 2)]
    assert sum(count >= 4 for count in shared) >= 0.9 * len(shared)
