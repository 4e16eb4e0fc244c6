"""Checks on the annotator: gold pairs and repeats, made when they are served."""

import random
from datetime import datetime

from django.db.models import Q

from evalplatform.annotation.models import Assignment, Enrolment, Outcome, Vote
from evalplatform.annotation.services.exclusion import exclude
from evalplatform.campaigns.models import GoldPair
from evalplatform.campaigns.rules import QualityRules

Purpose = Assignment.Purpose
_REPEAT_CHOICES = 200  # the oldest votes among which a repeat is drawn


def draw_check(*, enrolment: Enrolment, now: datetime, expires: datetime) -> int | None:
    """Lease a gold pair or a repeat at the campaign's rates; return its id, or None mostly.

    The draw hangs on the campaign's seed, the annotator and how many pairs they were served. A
    check is on the criterion they are at, so it does not stand out.
    """
    quality = enrolment.campaign.checked_rules.quality
    rng = random.Random(f"{enrolment.campaign.seed}:{enrolment.pk}:{enrolment.served}")
    draw = rng.random()
    if draw < quality.gold_rate:
        return _lease_gold(enrolment, rng, now, expires)
    if draw < quality.gold_rate + quality.repeat_rate:
        return _lease_repeat(enrolment, quality, rng, now, expires)
    return None


def _lease_gold(
    enrolment: Enrolment, rng: random.Random, now: datetime, expires: datetime
) -> int | None:
    unseen = list(
        GoldPair.objects.filter(
            campaign=enrolment.campaign_id,
            criterion=enrolment.criterion_id,
            purpose=GoldPair.Purpose.CHECK,
        ).exclude(assignments__annotator=enrolment.annotator_id)
    )
    if not unseen:
        return None
    return _lease_check(
        enrolment, now, expires, purpose=Purpose.GOLD, gold=rng.choice(unseen),
        a_on_left=rng.random() < 0.5,
    )  # fmt: skip


def _lease_repeat(
    enrolment: Enrolment,
    quality: QualityRules,
    rng: random.Random,
    now: datetime,
    expires: datetime,
) -> int | None:
    judged = (
        Assignment.objects.completed()
        .main()
        .filter(
            annotator=enrolment.annotator_id,
            campaign=enrolment.campaign_id,
            comparison__criterion=enrolment.criterion_id,
        )
        .filter(~Q(comparison__assignments__in=_repeats_of(enrolment)))
        .order_by("-completed_at")
    )
    old_enough = list(judged[quality.repeat_gap : quality.repeat_gap + _REPEAT_CHOICES])
    if not old_enough:
        return None
    first = rng.choice(old_enough)
    return _lease_check(
        enrolment, now, expires, purpose=Purpose.REPEAT, comparison=first.comparison,
        a_on_left=not first.a_on_left,
    )  # fmt: skip


def _repeats_of(enrolment: Enrolment):  # type: ignore[no-untyped-def]
    return Assignment.objects.filter(
        annotator=enrolment.annotator_id, campaign=enrolment.campaign_id, purpose=Purpose.REPEAT
    )


def lease_qualification(*, enrolment: Enrolment, now: datetime, expires: datetime) -> list[int]:
    """Lease the next gold pair of the qualification; nothing when all have been served."""
    quality = enrolment.campaign.checked_rules.quality
    pairs = GoldPair.objects.filter(
        campaign=enrolment.campaign_id, purpose=GoldPair.Purpose.QUALIFICATION
    ).order_by("position", "criterion__position")
    seen = set(
        Assignment.objects.filter(
            annotator=enrolment.annotator_id,
            campaign=enrolment.campaign_id,
            purpose=Purpose.QUALIFICATION,
        ).values_list("gold", flat=True)
    )
    for gold in pairs[: quality.qualification_pairs]:
        if gold.pk not in seen:
            rng = random.Random(f"{enrolment.campaign.seed}:{enrolment.pk}:{gold.pk}")
            a_on_left = rng.random() < 0.5
            return [
                _lease_check(
                    enrolment, now, expires, purpose=Purpose.QUALIFICATION, gold=gold,
                    a_on_left=a_on_left,
                )
            ]  # fmt: skip
    return []


def _lease_check(enrolment: Enrolment, now: datetime, expires: datetime, **fields: object) -> int:
    check = Assignment.objects.create(
        campaign_id=enrolment.campaign_id,
        annotator_id=enrolment.annotator_id,
        leased_at=now,
        lease_expires_at=expires,
        serve_order=max(enrolment.cursor, 0),
        **fields,
    )
    return check.pk


def settle_qualification(*, enrolment: Enrolment, now: datetime) -> None:
    """Once the last gold pair of the qualification is answered, pass the annotator or not."""
    quality = enrolment.campaign.checked_rules.quality
    mine = Assignment.objects.completed().filter(
        annotator=enrolment.annotator_id,
        campaign=enrolment.campaign_id,
        purpose=Purpose.QUALIFICATION,
    )
    if mine.count() < quality.qualification_pairs:
        return
    right = Vote.objects.filter(
        assignment__in=mine, retracted_at__isnull=True, outcome=Outcome.A
    ).count()
    enrolment.qualified_at = now
    enrolment.save(update_fields=["qualified_at"])
    if right < quality.qualification_pass:
        exclude(
            enrolment=enrolment,
            rule="qualification",
            detail=(
                f"{right} of {quality.qualification_pairs} gold pairs right, "
                f"{quality.qualification_pass} needed"
            ),
            now=now,
        )
