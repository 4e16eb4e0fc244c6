"""A campaign that sixteen people judged, three of whom answer by a rule of their own."""

import uuid
from datetime import timedelta

import numpy as np
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.services import enrol, open_campaign
from tests import factories

PEOPLE, RING = 16, ("ring-1", "ring-2", "ring-3")


def ring_campaign(*, form="pair", arms=2, items=240, ring=True, seed=1, slug="rigged"):
    """An open campaign with all its votes; without `ring` the three are as honest as all."""
    pairs = arms * (arms - 1) // 2
    sets = {"pair": pairs, "rating": arms, "ranking": 1}[form]
    options = {"design": "together"} if form == "ranking" else {}
    campaign = factories.make_bulk_draft(
        prompts=items // sets, criteria=["visual_appeal"], form=form, arms=arms, k=5, slug=slug,
        **options,
    )  # fmt: skip
    open_campaign(campaign=campaign)
    names = [*RING, *(f"honest-{n}" for n in range(PEOPLE - len(RING)))]
    people = [Annotator.objects.create(pseudonym=f"{slug}-{name}") for name in names]
    for each in people:
        enrol(campaign=campaign, annotator=each)
    rng, now = np.random.default_rng(seed), timezone.now()
    slots = list(
        Assignment.objects.main().filter(campaign=campaign).select_related("item__criterion")
        .order_by("item", "slot")
    )  # fmt: skip
    n_images = len(slots[0].order)
    quality, rule, who = {}, {}, {}
    votes = []
    for slot in slots:
        item = slot.item_id
        if item not in who:
            who[item] = list(rng.permutation(PEOPLE)[:5])
            quality[item], rule[item] = rng.normal(size=n_images), rng.normal(size=n_images) * 2
        person = int(who[item].pop())
        follows = ring and person < len(RING)
        seen = rule[item] if follows else quality[item] + 0.7 * rng.normal(size=n_images)
        said = answer(form, seen, slot.order)
        slot.annotator, slot.leased_at, slot.completed_at = people[person], now, now
        slot.lease_expires_at = now + timedelta(1)
        votes.append(
            Vote(
                assignment=slot, annotator=people[person], form=form, answer=said,
                order=slot.order, grades=slot.item.criterion.shape.grades(said, slot.order),
                response_time_ms=2000, idempotency_key=uuid.uuid4(), is_simulated=False,
                voted_at=now,
            )
        )  # fmt: skip
    Assignment.objects.bulk_update(
        slots, ["annotator", "leased_at", "completed_at", "lease_expires_at"], batch_size=500
    )
    Vote.objects.bulk_create(votes, batch_size=500)
    return campaign


def answer(form, seen, order):
    """What is pressed by who sees so much in the image of each place."""
    by_position = [seen[place] for place in order]
    if form == "rating":
        return str(int(np.clip(round(3 + by_position[0]), 1, 5)))
    if form == "ranking":
        return ">".join(str(each) for each in np.argsort(by_position)[::-1])
    if abs(by_position[0] - by_position[1]) < 0.3:
        return "tie"
    return "left" if by_position[0] > by_position[1] else "right"
