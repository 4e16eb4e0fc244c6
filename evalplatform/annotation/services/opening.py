"""Opening a campaign to annotators."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

import numpy as np
from django.db import connection, transaction

from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.forms import Order
from evalplatform.campaigns.items import ItemsOfCriterion, create_items, create_newcomers_items
from evalplatform.campaigns.models import Arm, Campaign, ImageSet
from evalplatform.campaigns.services import amend_protocol, create_newcomer, freeze_protocol
from evalplatform.campaigns.showing import lengths_shown
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.copy_in import copy_in
from evalplatform.core.errors import BadInputError
from evalplatform.core.telling import tell_nobody
from evalplatform.images.models import ImageCollection

Progress = Callable[[int, int], None]
_BATCH = 5_000  # slots


def open_campaign(
    *,
    campaign: Campaign,
    on_packed: Progress = tell_nobody,
    on_images: Progress = tell_nobody,
    on_progress: Progress = tell_nobody,
) -> bool:
    """Freeze the protocol, make the items and their k slots; False if it was open already.

    `on_packed` is told how many images of how many are packed, then `on_images` how many copies of
    them are stored, then `on_progress` how many slots are made.

    All or nothing: an interrupted opening leaves the campaign as it was; one that was killed may
    leave copies and packed images, which the next one takes up. Raises `BadInputError` while
    samples, or gold that its rules need, are missing.
    """
    copies = CopyStore(campaign.invitation, on_images, on_packed)
    try:
        with transaction.atomic():
            locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
            if locked.status not in (Campaign.Status.DRAFT, Campaign.Status.GENERATING):
                return False
            _check_gold(locked)
            created = create_items(campaign=locked, copies=copies)
            _create_slots(locked, created.items, on_progress)
            freeze_protocol(campaign=locked, faults=created.faults)
    except BaseException:
        copies.discard()
        raise
    with connection.cursor() as cursor:
        # The lease statement wants its plan now, not when the statistics next happen to be made.
        cursor.execute("ANALYZE annotation_assignment, campaigns_item, campaigns_shownimage")
    campaign.refresh_from_db()
    return True


def join_arm(
    *,
    campaign: Campaign,
    maker: Checkpoint | ImageCollection,
    now: datetime,
    on_packed: Progress = tell_nobody,
    on_images: Progress = tell_nobody,
    on_progress: Progress = tell_nobody,
    made: Callable[[Arm], None] = tell_nobody,
) -> Arm:
    """Let an arm join an open campaign: it meets those that are there, and is served with them.

    Its items come after all others; whoever had finished can go on. The protocol records it as an
    amendment. All or nothing; `made` is told the arm, in the transaction that makes it. Raises
    `BadInputError` as `create_newcomer` does, while images of the newcomer are missing, and where
    the campaign's design lets none join.
    """
    copies = CopyStore(campaign.invitation, on_images, on_packed)
    try:
        with transaction.atomic():
            # Without the key: an annotator who is given a check refers to the campaign's row while
            # they hold their enrolment's, and would wait here for what waits below for theirs.
            locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
            copies.match(lengths_shown(locked))  # another newcomer may have lengthened all files
            arm = create_newcomer(campaign=locked, maker=maker, now=now)
            items = create_newcomers_items(campaign=locked, newcomer=arm, copies=copies).items
            _create_slots(locked, items, on_progress)
            # The total that a page shows does not rise otherwise.
            Enrolment.objects.filter(campaign=locked).update(total=None)
            amend_protocol(campaign=locked, newcomer=arm, items=sum(map(len, items)), now=now)
            made(arm)
    except BaseException:
        copies.discard()
        raise
    campaign.refresh_from_db()
    campaign.__dict__.pop("contenders", None)  # cached
    return arm


def _check_gold(campaign: Campaign) -> None:
    quality = campaign.checked_rules.quality
    needed = {
        ImageSet.Purpose.QUALIFICATION: quality.qualification_gold,
        ImageSet.Purpose.CHECK: 1 if quality.gold_rate else 0,
    }
    for purpose, wanted in needed.items():
        there = campaign.image_sets.filter(purpose=purpose).count()
        if there < wanted:
            raise BadInputError(
                f"campaign {campaign.slug!r} cannot open: its rules want at least {wanted} gold "
                f"pairs for {purpose.value}, {there} are there; make them first.",
                by_command=f"`manage.py make_gold {campaign.slug}` makes them.",
            )


def _create_slots(
    campaign: Campaign, items: Sequence[ItemsOfCriterion], on_progress: Progress
) -> None:
    first = items[0].first
    # Not the stream that ordered items.
    rng = np.random.default_rng([campaign.seed, 1, first] if first else [campaign.seed, 1])
    total = sum(len(each) * each.criterion.k for each in items)
    made = 0
    rows = _slots(campaign, items, rng)
    while batch := list(islice(rows, _BATCH)):
        made += copy_in(
            Assignment, ("campaign_id", "purpose", "item_id", "slot", "order", "serve_order"), batch
        )
        on_progress(made, total)


def _slots(
    campaign: Campaign, items: Sequence[ItemsOfCriterion], rng: np.random.Generator
) -> Iterator[tuple[int, str, int, int, Order, int]]:
    """Yield the k slots of every item as rows; its criterion's form plans how images stand."""
    purpose = Assignment.Purpose.MAIN.value
    for each in items:
        criterion = each.criterion
        orders = criterion.shape.orders(k=criterion.k, sizes=each.sizes.tolist(), rng=rng)
        for position, (key, planned) in enumerate(zip(each.keys, orders, strict=True), each.first):
            for slot, order in enumerate(planned, start=1):
                yield campaign.pk, purpose, key, slot, order, position
