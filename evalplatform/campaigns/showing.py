"""Which copies of which images a campaign shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet

from evalplatform.campaigns.copies import Copy, CopyStore, Lengths, Source
from evalplatform.campaigns.images import shown_size, size_of
from evalplatform.campaigns.models import Campaign, ImageSet, Item, ShownImage
from evalplatform.campaigns.packing import LADDER, Packing, name_at
from evalplatform.campaigns.rules import Delivery, QualityRules
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage

_LEAST_REPEATABLE = 5  # of so many items one
_SMALL = 100  # items; from twice as many on fewer than all are repeatable


@dataclass(frozen=True)
class Shown:
    """A set that will be shown: what it is made of, and its row."""

    source: ReadySet
    image_set: ImageSet


def store_shown_images(
    *, campaign: Campaign, shown: Sequence[Shown], items: Sequence[Item], copies: CopyStore
) -> list[ShownImage]:
    """Store what is shown of every item and of gold; return the images of the sets, unsaved.

    Items learn which copy they show, and the campaign which smaller copies there are; they are not
    saved by this. Gold is, and its unpadded images go with the commit. Examples, whose answer is
    told, are left as they are where pixels are kept, and packed like all others where not.
    """
    numbers = _numbers(campaign, items)
    own = _mixes_checks(campaign)
    wanted = {
        id(each.image_set): _copies(each, numbers[id(each.image_set)], own=own) for each in shown
    }
    # What is shown already, where an arm joins, is padded already.
    gold = [] if campaign.is_frozen else list(_gold(campaign))
    every = {copy for rows in wanted.values() for row in rows for copy in row if copy}
    if not campaign.is_frozen:
        campaign.shown_widths = _widths(campaign, shown)
    packing = packing_of(campaign)
    names = copies.store(every | {_only(image.copies[0]) for image in gold}, packing)
    if campaign.is_frozen:
        _lengthen(campaign, copies, packing)
    else:
        _replace(gold, names)
    return [
        ShownImage(
            image_set=each.image_set, place=place, arm=arm,
            sample=picture if isinstance(picture, Sample) else None,
            collected=picture if isinstance(picture, CollectedImage) else None,
            copies=[names[copy] if copy else "" for copy in row],
        )
        for each in shown
        for place, (arm, picture, row) in enumerate(
            zip(each.source.arms, each.source.pictures, wanted[id(each.image_set)], strict=True)
        )
    ]  # fmt: skip


def _gold(campaign: Campaign) -> QuerySet[ShownImage]:
    """The gold to be stored anew: what must not be known by its file, and what is to be small."""
    if campaign.checked_rules.annotation.delivery is Delivery.LOSSLESS:
        return _hidden_gold(campaign)
    return ShownImage.objects.filter(image_set__campaign=campaign, arm__isnull=True)


def _hidden_gold(campaign: Campaign) -> QuerySet[ShownImage]:
    gold = ShownImage.objects.filter(image_set__campaign=campaign, arm__isnull=True)
    return gold.exclude(image_set__purpose=ImageSet.Purpose.EXAMPLE)


def packing_of(campaign: Campaign) -> Packing:
    """Return how this campaign's images are packed, by its rules and what was made at opening."""
    rules = campaign.checked_rules.annotation
    if rules.delivery is Delivery.LOSSLESS:
        return Packing(ground=rules.ground)
    return Packing(rules.delivery_quality, tuple(campaign.shown_widths), rules.ground)


def _widths(campaign: Campaign, shown: Sequence[Shown]) -> list[int]:
    """Return the widths of smaller copies: those of the ladder below the widest image's."""
    if campaign.checked_rules.annotation.delivery is Delivery.LOSSLESS:
        return []
    widest = max((shown_size(each.source.pictures)[0] for each in shown), default=0)
    return [width for width in LADDER if width < widest]


def lengths_shown(campaign: Campaign) -> Lengths:
    """Return the lengths of every file that an open campaign shows."""
    image = ShownImage.objects.filter(image_set__campaign=campaign, arm__isnull=False).first()
    if image is None:
        return {}
    name = next(filter(None, image.copies))
    widths = packing_of(campaign).every_width
    return {width: default_storage.size(name_at(name, width)) for width in widths}


def _lengthen(campaign: Campaign, copies: CopyStore, packing: Packing) -> None:
    """Bring what is shown already to the length of what an arm that joins needs.

    Otherwise a file's length would tell what was there before, and so tell a check.
    """
    if copies.lengths == lengths_shown(campaign):
        return
    main = ShownImage.objects.filter(image_set__campaign=campaign, arm__isnull=False)
    rows = [*main, *_hidden_gold(campaign)]
    old = {name for row in rows for name in row.copies if name}
    names = copies.lengthen(sorted(old), packing)
    for row in rows:
        row.copies = [names[name] if name else "" for name in row.copies]
    ShownImage.objects.bulk_update(rows, ["copies"], batch_size=1000)
    _remove_on_commit(name_at(name, width) for name in old for width in packing.every_width)


def _numbers(campaign: Campaign, items: Sequence[Item]) -> dict[int, set[int]]:
    """Decide which copies each item shows, and return the numbers needed of each set.

    Where checks are mixed in, a file that came before would tell itself from gold or a repeat,
    which are always new: then every item has copies of its own, and what comes again a second one.
    """
    has_checks = _mixes_checks(campaign)
    places = {each.pk: place for place, each in enumerate(campaign.criteria.all())}
    again = set(_repeatable(campaign, len(items)))
    numbers: dict[int, set[int]] = {}
    for index, item in enumerate(items):
        item.copy = 2 * places[item.criterion_id] if has_checks else 0
        item.repeatable = index in again
        needed = numbers.setdefault(id(item.image_set), set())
        needed |= {item.copy, item.copy + 1} if item.repeatable else {item.copy}
    return numbers


def _mixes_checks(campaign: Campaign) -> bool:
    quality = campaign.checked_rules.quality
    return bool(quality.gold_rate or quality.repeat_rate or quality.qualification_pairs)


def repeatable_every(quality: QualityRules, items: int) -> int:
    """Return of how many items in a row one can come again: it has a second copy.

    So that a second copy of everything is not stored, only four times as many have one as come
    again on average, at least a fifth; all of them in a small campaign. 0: none comes again.
    """
    if not quality.repeat_rate:
        return 0
    pairs = 1 - quality.gold_rate - quality.repeat_rate  # share of turns that are no check
    needed = int(pairs / (4 * quality.repeat_rate))
    return max(1, min(needed, _LEAST_REPEATABLE, items // _SMALL))


def _repeatable(campaign: Campaign, count: int) -> list[int]:
    """Return which items can come again: of every few in a row, one at random."""
    every = repeatable_every(campaign.checked_rules.quality, count)
    if not every:
        return []
    rng = np.random.default_rng([campaign.seed, 2])  # not the streams of order and sides
    starts = np.arange(0, count, every)
    chosen = starts + rng.integers(every, size=len(starts))
    return [int(index) for index in chosen if index < count]


def _copies(shown: Shown, numbers: set[int], *, own: bool) -> list[list[Copy | None]]:
    """Return for each image of a set its copies by number; None where a number is not shown.

    `own`: an image that stands in several sets has copies of its own in each.
    """
    size = shown_size(shown.source.pictures)
    context = shown.image_set.position + 1 if own else 0
    rows = []
    for picture in shown.source.pictures:
        source = Source(picture.image, None if size_of(picture) == size else size)
        rows.append(
            [
                Copy(source, number, context) if number in numbers else None
                for number in range(max(numbers, default=0) + 1)
            ]
        )
    return rows


def _only(name: str) -> Copy:
    return Copy(Source(name), 0, 0)


def _replace(gold: Sequence[ShownImage], names: dict[Copy, str]) -> None:
    """Let gold show its padded copies, and remove what these were made of."""
    unpadded = [image.copies[0] for image in gold]
    for image in gold:
        image.copies = [names[_only(image.copies[0])]]
    ShownImage.objects.bulk_update(gold, ["copies"], batch_size=1000)
    _remove_on_commit(unpadded)


def _remove_on_commit(names: Iterable[str]) -> None:
    names = list(names)

    def remove() -> None:
        for name in names:
            default_storage.delete(name)

    transaction.on_commit(remove)
