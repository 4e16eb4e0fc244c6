"""Opening a campaign to annotators, and letting them in."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from django.db import connection, transaction

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.crowd import Arrival
from evalplatform.annotation.models import Assignment, CrowdVisit, Enrolment
from evalplatform.campaigns.comparisons import create_comparisons
from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.models import Campaign, Comparison, GoldPair
from evalplatform.campaigns.services import freeze_protocol
from evalplatform.core.errors import BadInputError

Progress = Callable[[int, int], None]
_BATCH = 500  # comparisons


def _silent(made: int, total: int) -> None:
    """Tell nobody."""


def open_campaign(
    *, campaign: Campaign, on_images: Progress = _silent, on_progress: Progress = _silent
) -> bool:
    """Freeze the protocol, make the comparisons and their k slots; False if it was open already.

    `on_images` is told how many copies of images of how many are stored, then `on_progress` how
    many slots are made.

    All or nothing: an interrupted opening leaves the campaign as it was; one that was killed may
    leave copies, which the next one takes up. Raises `BadInputError` while samples, or gold pairs
    that its rules need, are missing.
    """
    copies = CopyStore(campaign.invitation, on_images)
    try:
        with transaction.atomic():
            locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
            if locked.status not in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
                return False
            _check_gold(locked)
            comparisons = create_comparisons(campaign=locked, copies=copies)
            _create_slots(locked, comparisons, on_progress)
            freeze_protocol(campaign=locked)
    except BaseException:
        copies.discard()
        raise
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


def _create_slots(
    campaign: Campaign, comparisons: Sequence[Comparison], on_progress: Progress
) -> None:
    rng = np.random.default_rng([campaign.seed, 1])  # not the stream that ordered comparisons
    total = sum(comparison.criterion.k for comparison in comparisons)
    made = 0
    surplus = surplus_sides(len(comparisons), rng)
    for batch in _batches(comparisons):
        slots = [
            Assignment(
                campaign=campaign,
                comparison=comparison,
                slot=slot,
                a_on_left=a_on_left,
                serve_order=comparison.position,
            )
            for index, comparison in batch
            for slot, a_on_left in enumerate(
                plan_sides(k=comparison.criterion.k, surplus=surplus[index], rng=rng), start=1
            )
        ]
        Assignment.objects.bulk_create(slots, batch_size=1000)
        made += len(slots)
        on_progress(made, total)


def _batches(comparisons: Sequence[Comparison]) -> Iterator[list[tuple[int, Comparison]]]:
    for start in range(0, len(comparisons), _BATCH):
        yield list(enumerate(comparisons[start : start + _BATCH], start))


def surplus_sides(count: int, rng: np.random.Generator) -> list[bool]:
    """Return for each comparison whether A has the left side once more, where k is odd.

    Of two comparisons in a row one has: both sides are used equally. Which one is random; were it
    every second, a comparison's place would tell on which side A is likelier to stand.
    """
    first = rng.integers(2, size=-(-count // 2)).astype(bool)
    return [bool(side) for side in np.stack([first, ~first], axis=1).ravel()[:count]]


def plan_sides(*, k: int, surplus: bool, rng: np.random.Generator) -> list[bool]:
    """Return for each of k slots whether A stands on the left: k // 2 of them, in random order.

    For odd k one more with `surplus`.
    """
    on_left = k // 2 + (k % 2) * surplus
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
