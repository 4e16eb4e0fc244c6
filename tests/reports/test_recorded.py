"""Two arms give the figures that they gave when a campaign could have no others.

`recorded/results-3.json` holds what `results.json` said of two campaigns before there were arms,
sets and grades, wherever it is a number: one complete, one with votes missing and somebody
excluded. The same votes are cast anew here.
"""

import json
import math
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.services import enrol, exclude, open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from evalplatform.promptsets.models import PromptSet
from evalplatform.reports.exports import results_json
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

RECORDED = json.loads((Path(__file__).parent / "recorded" / "results-3.json").read_text())
PEOPLE = 7


def outcome(prompt, criterion, person):
    """0: A is preferred, 1: a tie, 2: B."""
    number = (7 * prompt + 3 * criterion + 5 * person + prompt * person) % 10
    return 0 if number < 5 else 1 if number < 7 else 2


def answer(slot, order, said):
    """What is pressed to say so."""
    prompt = slot.item.image_set.prompt.position
    if said != 1:
        return "left" if order[0] == (0 if said == 0 else 1) else "right"
    if slot.item.criterion.form == "pair":
        return "tie"
    return "both" if prompt % 3 else "neither"


def judge(slot, people, now):
    prompt, criterion = slot.item.image_set.prompt.position, slot.item.criterion
    person = (prompt + slot.slot) % PEOPLE
    said = answer(slot, slot.order, outcome(prompt, criterion.position, person))
    Assignment.objects.filter(pk=slot.pk).update(
        annotator=people[person], leased_at=now, lease_expires_at=now + timedelta(1),
        completed_at=now,
    )  # fmt: skip
    Vote.objects.create(
        assignment=slot,
        annotator=people[person],
        form=criterion.form,
        answer=said,
        order=slot.order,
        grades=criterion.shape.grades(said, slot.order),
        response_time_ms=300 + 37 * prompt + 211 * person,
        idempotency_key=uuid.uuid4(),
        is_simulated=person == 6,
        voted_at=now,
    )


def place_by_rule(campaign):
    """Put A on the left of every second slot, where opening had placed it at random."""
    slots = list(Assignment.objects.select_related("item__image_set__prompt"))
    slots = [each for each in slots if each.campaign_id == campaign.pk]
    Assignment.objects.filter(campaign=campaign).delete()
    for each in slots:
        on_left = (each.item.image_set.prompt.position + each.slot) % 2
        each.pk, each.order = None, [on_left, 1 - on_left]
    Assignment.objects.bulk_create(slots)


def voted(slug, *, missing=(), excluded=None):
    """A campaign in which every ninth slot of those `missing` has no vote yet."""
    criteria = [
        plan_criterion("visual_appeal", 5),
        plan_criterion("text_faithfulness", 3, "pair_both_neither"),
    ]
    campaign = factories.make_draft(slug=slug, prompts=12, criteria=criteria)
    with factories.thawed():
        PromptSet.objects.filter(campaigns=campaign).update(name=f"{slug}-things")
    open_campaign(campaign=campaign)
    place_by_rule(campaign)
    people = [
        Annotator.objects.create(pseudonym=f"{slug}-{n}", is_simulated=n == 6)
        for n in range(PEOPLE)
    ]
    for each in people:
        enrol(campaign=campaign, annotator=each)
    slots = Assignment.objects.main().filter(campaign=campaign).order_by(
        "item__criterion__position", "item__image_set__prompt__position", "slot"
    )  # fmt: skip
    now = timezone.now()
    for n, slot in enumerate(slots.select_related("item__criterion", "item__image_set__prompt")):
        if n % 9 not in missing:
            judge(slot, people, now)
    if excluded is not None:
        enrolment = campaign.enrolments.get(annotator=people[excluded])
        exclude(enrolment=enrolment, rule="gold", detail="1 of 6", now=now)
    campaign.refresh_from_db()
    return json.loads(json.dumps(results_json(campaign_results(campaign))))


def differing(recorded, found, path=""):
    """Where two results are not the same; what is only in `found` is new.

    A figure may be off by one part in 10^11: the last bits of sums and matrix products hang on the
    processor, whose widest instructions the libraries use.
    """
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            yield from differing(value, found.get(key, "missing"), f"{path}.{key}")
    elif isinstance(recorded, list):
        assert len(recorded) == len(found), path
        for index, (one, other) in enumerate(zip(recorded, found, strict=True)):
            yield from differing(one, other, f"{path}[{index}]")
    elif not same(recorded, found):
        yield f"{path}: {recorded} then, {found} now"


def same(recorded, found):
    if isinstance(recorded, float) and isinstance(found, float):
        return math.isclose(recorded, found, rel_tol=1e-11, abs_tol=1e-12)
    return recorded == found


@pytest.mark.parametrize(
    ("slug", "options"), [("whole", {}), ("halfway", {"missing": [0], "excluded": 3})]
)
def test_two_arms_give_the_figures_they_always_gave(slug, options):
    assert list(differing(RECORDED[slug], voted(slug, **options))) == []
