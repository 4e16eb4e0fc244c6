"""Making a campaign's image sets and items when it opens."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.models import Arm, Campaign, Criterion, ImageSet, Item, ShownImage
from evalplatform.campaigns.safety import refuse_unsafe_gold, screen, store_screening
from evalplatform.campaigns.sample_faults import SampleFaults, count_faults, refuse_faults
from evalplatform.campaigns.selectors import ReadySet, newcomers_sets, whole_sets
from evalplatform.campaigns.showing import Shown, store_shown_images
from evalplatform.core.copy_in import copy_in, reserve_ids


@dataclass(frozen=True)
class Created:
    """Items that were made, and what is known to be wrong with their images."""

    items: list[Item]
    faults: SampleFaults


def create_items(*, campaign: Campaign, copies: CopyStore) -> Created:
    """Create an item for every (criterion, set of images), in seeded random order per criterion.

    Where the rules ask for the safety filter, sets with an unsafe image are left out and the image
    is `Withheld`. What annotators are sent, gold included, is stored through `copies`. The caller
    holds the campaign's row lock. Raises `BadInputError` while samples or their safety scores are
    missing.
    """
    return _create(campaign, whole_sets(campaign), copies)


def create_newcomers_items(*, campaign: Campaign, newcomer: Arm, copies: CopyStore) -> Created:
    """Create the items in which an arm that joins an open campaign meets the others.

    They come after all that is there, criterion by criterion; as `create_items` otherwise.
    """
    return _create(campaign, newcomers_sets(campaign, newcomer), copies)


def _create(campaign: Campaign, sets: Sequence[ReadySet], copies: CopyStore) -> Created:
    screened = screen(campaign, sets)
    refuse_faults(campaign, screened.passed)
    refuse_unsafe_gold(campaign, screened.withheld)
    store_screening(campaign=campaign, screened=screened)
    there = campaign.image_sets.main().count()
    shown = [
        Shown(each, ImageSet(campaign=campaign, prompt=each.prompt, position=position,
                             prompt_text=each.text or each.prompt.text))
        for position, each in enumerate(screened.passed, there)
    ]  # fmt: skip
    items = _ordered(campaign, shown)
    images = store_shown_images(campaign=campaign, shown=shown, items=items, copies=copies)
    _write(campaign, shown, images, items)
    campaign.outline = [*campaign.outline, *_outline(campaign, items)]
    campaign.item_count += len(items)
    campaign.save(update_fields=["outline", "item_count", "shown_widths"])
    return Created(items, count_faults(campaign, screened.passed))


def _write(
    campaign: Campaign,
    shown: Sequence[Shown],
    images: Iterable[ShownImage],
    items: Sequence[Item],
) -> None:
    """Write all of them, and give sets and items their keys."""
    for model, rows in ((ImageSet, [each.image_set for each in shown]), (Item, items)):
        for row, key in zip(rows, reserve_ids(model, len(rows)), strict=True):
            row.pk = key
    copy_in(
        ImageSet,
        ("id", "campaign_id", "purpose", "position", "prompt_id", "prompt_text", "why", "origin"),
        (
            (each.pk, campaign.pk, each.purpose, each.position, each.prompt_id, each.prompt_text,
             "", "{}")
            for each in (one.image_set for one in shown)
        ),
    )  # fmt: skip
    copy_in(
        ShownImage,
        ("image_set_id", "place", "arm_id", "sample_id", "collected_id", "copies"),
        (
            (each.image_set.pk, each.place, each.arm_id, each.sample_id, each.collected_id,
             each.copies)
            for each in images
        ),
    )  # fmt: skip
    copy_in(
        Item,
        ("id", "campaign_id", "criterion_id", "image_set_id", "position", "copy", "repeatable"),
        (
            (each.pk, campaign.pk, each.criterion_id, each.image_set.pk, each.position, each.copy,
             each.repeatable)
            for each in items
        ),
    )  # fmt: skip


def _ordered(campaign: Campaign, shown: Sequence[Shown]) -> list[Item]:
    there = campaign.item_count
    rng = np.random.default_rng([campaign.seed, 4, there] if there else campaign.seed)
    items: list[Item] = []
    for criterion in campaign.criteria.all():
        asked = [each for each in shown if _asks(criterion, each.source)]
        for index in rng.permutation(len(asked)):
            items.append(
                Item(
                    campaign=campaign,
                    criterion=criterion,
                    image_set=asked[index].image_set,
                    position=there + len(items),
                )
            )
    return items


def _asks(criterion: Criterion, ready: ReadySet) -> bool:
    return criterion.shape.takes(len(ready.pictures))


def _outline(campaign: Campaign, items: Sequence[Item]) -> list[list[int]]:
    """Return [criterion, where its items end, its hidden gold] in the walk's order.

    Hidden gold counts to the first stretch of its criterion.
    """
    known = {criterion for criterion, _, _ in campaign.outline}
    checks = campaign.image_sets.filter(purpose=ImageSet.Purpose.CHECK)
    gold = Counter(checks.exclude(criterion__in=known).values_list("criterion", flat=True))
    ends = {each.criterion_id: (each.position or 0) + 1 for each in items}  # the last one stays
    return [[criterion, end, gold[criterion]] for criterion, end in ends.items()]
