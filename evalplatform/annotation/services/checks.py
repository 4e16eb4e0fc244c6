"""The qualification: gold pairs judged before the first comparison."""

import random
from datetime import datetime

from evalplatform.annotation.models import Assignment, Enrolment, Outcome, Vote
from evalplatform.annotation.services.exclusion import exclude
from evalplatform.campaigns.models import GoldPair

Purpose = Assignment.Purpose


def lease_qualification(*, enrolment: Enrolment, now: datetime, expires: datetime) -> int | None:
    """Lease the next gold pair of the qualification; None when all have been served."""
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
            rng = random.Random(f"{enrolment.check_seed}:{gold.pk}")
            leased = Assignment.objects.create(
                campaign_id=enrolment.campaign_id,
                purpose=Purpose.QUALIFICATION,
                gold=gold,
                a_on_left=rng.random() < 0.5,
                serve_order=0,
                annotator_id=enrolment.annotator_id,
                leased_at=now,
                lease_expires_at=expires,
            )
            return leased.pk
    return None


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
