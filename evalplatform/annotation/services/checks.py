"""The qualification: gold judged before the first item."""

from datetime import datetime

import numpy as np

from evalplatform.annotation.models import Assignment, Enrolment, Vote
from evalplatform.annotation.services.exclusion import exclude
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import ImageSet, Item

Purpose = Assignment.Purpose


def _gold_of_the_try(enrolment: Enrolment) -> list[Item]:
    """Return the gold of the try that somebody is at, in its order: each try has its own."""
    pairs = enrolment.campaign.checked_rules.quality.qualification_pairs
    gold = (
        Item.objects.filter(
            campaign=enrolment.campaign_id,
            image_set__purpose=ImageSet.Purpose.QUALIFICATION,
        )
        .select_related("image_set")
        .order_by("image_set__position", "criterion__position")
    )
    before = pairs * (enrolment.qualification_try - 1)
    return list(gold[before : before + pairs])


def lease_qualification(*, enrolment: Enrolment, now: datetime, expires: datetime) -> int | None:
    """Lease the next gold of the try; None when all has been served."""
    seen = set(
        Assignment.objects.filter(
            annotator=enrolment.annotator_id,
            campaign=enrolment.campaign_id,
            purpose=Purpose.QUALIFICATION,
        ).values_list("item", flat=True)
    )
    for item in _gold_of_the_try(enrolment):
        if item.pk not in seen:
            rng = np.random.default_rng([enrolment.check_seed, item.pk])
            leased = Assignment.objects.create(
                campaign_id=enrolment.campaign_id,
                purpose=Purpose.QUALIFICATION,
                item=item,
                order=rng.permutation(len(item.image_set.expected or ())).tolist(),
                serve_order=0,
                annotator_id=enrolment.annotator_id,
                leased_at=now,
                lease_expires_at=expires,
            )
            return leased.pk
    return None


def settle_qualification(*, enrolment: Enrolment, now: datetime) -> None:
    """Once the last gold of a try is answered, pass the annotator, or let them try again or not.

    What is changed of an earlier try afterwards changes nothing.
    """
    quality = enrolment.campaign.checked_rules.quality
    mine = Assignment.objects.completed().filter(
        annotator=enrolment.annotator_id,
        campaign=enrolment.campaign_id,
        purpose=Purpose.QUALIFICATION,
        item__in=_gold_of_the_try(enrolment),
    )
    if enrolment.qualified_at or mine.count() < quality.qualification_pairs:
        return
    answers = Vote.objects.filter(assignment__in=mine, retracted_at__isnull=True)
    right = sum(
        form_named(form).is_right(grades, expected or ())
        for form, grades, expected in answers.values_list(
            "form", "grades", "assignment__item__image_set__expected"
        )
    )
    passed = right >= quality.qualification_pass
    if not passed and enrolment.qualification_try < quality.qualification_tries:
        enrolment.qualification_try += 1
        enrolment.last_vote = None  # it was counted: nobody takes it back
        enrolment.save(update_fields=["qualification_try", "last_vote"])
        return
    enrolment.qualified_at = now
    enrolment.save(update_fields=["qualified_at"])
    if not passed:
        at = f" at try {enrolment.qualification_try}" if enrolment.qualification_try > 1 else ""
        exclude(
            enrolment=enrolment,
            rule="qualification",
            detail=(
                f"{right} of {quality.qualification_pairs} gold right{at}, "
                f"{quality.qualification_pass} needed"
            ),
            now=now,
        )
