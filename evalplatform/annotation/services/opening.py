"""Opening a campaign to annotators, and letting them in."""

from collections.abc import Sequence

import numpy as np
from django.db import connection, transaction

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.crowd import Arrival
from evalplatform.annotation.models import Assignment, CrowdVisit, Enrolment
from evalplatform.campaigns.models import Campaign, Comparison, GoldPair
from evalplatform.campaigns.services import create_comparisons, freeze_protocol
from evalplatform.core.errors import BadInputError


def open_campaign(*, campaign: Campaign) -> bool:
    """Freeze the protocol, make the comparisons and their k slots; False if it was open already.

    All or nothing: an interrupted opening leaves the campaign as it was. Raises `BadInputError`
    while samples, or gold pairs that its rules need, are missing.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.status not in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
            return False
        _check_gold(locked)
        comparisons = create_comparisons(campaign=locked)
        _create_slots(locked, comparisons)
        freeze_protocol(campaign=locked)
    with connection.cursor() as cursor:
        # The lease statement wants its plan now, not when the statistics next happen to be made.
        cursor.execute("ANALYZE annotation_assignment, campaigns_comparison")
    campaign.refresh_from_db()
    return True


def _check_gold(campaign: Campaign) -> None:
    quality = campaign.checked_rules.quality
    needed = {
        GoldPair.Purpose.QUALIFICATION: quality.qualification_pairs,
        GoldPair.Purpose.CHECK: 1 if quality.gold_rate else 0,
    }
    for purpose, wanted in needed.items():
        there = campaign.gold_pairs.filter(purpose=purpose).count()
        if there < wanted:
            raise BadInputError(
                f"campaign {campaign.slug!r} cannot open: its rules want at least {wanted} gold "
                f"pairs for {purpose.value}, {there} are there; make them with "
                f"`manage.py make_gold {campaign.slug}`."
            )


def _create_slots(campaign: Campaign, comparisons: Sequence[Comparison]) -> None:
    rng = np.random.default_rng([campaign.seed, 1])  # not the stream that ordered comparisons
    slots: list[Assignment] = []
    for index, comparison in enumerate(comparisons):
        sides = plan_sides(k=comparison.criterion.k, index=index, rng=rng)
        for slot, a_on_left in enumerate(sides, start=1):
            slots.append(
                Assignment(
                    campaign=campaign,
                    comparison=comparison,
                    slot=slot,
                    a_on_left=a_on_left,
                    serve_order=comparison.position,
                )
            )
    Assignment.objects.bulk_create(slots, batch_size=1000)


def plan_sides(*, k: int, index: int, rng: np.random.Generator) -> list[bool]:
    """Return for each of k slots whether A stands on the left.

    For odd k the surplus side alternates with the comparison's index (five slots: 2 left, then
    3), so that over two comparisons both sides are used equally; slots are in random order.
    """
    on_left = k // 2 + (k % 2) * (index % 2)
    sides = np.arange(k) < on_left
    return [bool(side) for side in rng.permutation(sides)]


def enrol(*, campaign: Campaign, annotator: Annotator, arrival: Arrival | None = None) -> Enrolment:
    """Record that the annotator agreed to take part, and the crowd session they came for.

    Enrolling twice changes nothing; who gave the work back and comes anew may go on.
    """
    enrolment, _ = Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator)
    if arrival is not None:
        record_visit(enrolment=enrolment, arrival=arrival)
    return enrolment


def record_visit(*, enrolment: Enrolment, arrival: Arrival) -> None:
    """Remember for which session of a crowd platform somebody came; once each."""
    _, is_new = CrowdVisit.objects.get_or_create(
        enrolment=enrolment,
        platform=arrival.platform,
        session_id=arrival.session_id,
        defaults={"study_id": arrival.study_id, "submit_to": arrival.submit_to},
    )
    if is_new and enrolment.status == Enrolment.Status.RETURNED:
        enrolment.status = Enrolment.Status.ACTIVE
        enrolment.save(update_fields=["status"])
