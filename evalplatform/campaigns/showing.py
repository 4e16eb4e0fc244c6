"""Which copies of which images a campaign shows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet

from evalplatform.campaigns.copies import Copy, CopyStore, Lengths, Source
from evalplatform.campaigns.images import shown_size, size_of
from evalplatform.campaigns.models import Campaign, ImageSet, ShownImage
from evalplatform.campaigns.packing import FULL, LADDER, Packing, name_at
from evalplatform.campaigns.rules import Delivery, QualityRules
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage

_LEAST_REPEATABLE = 5  # of so many items one
_AT_A_TIME = 1_000  # images
_SMALL = 100  # items; from twice as many on fewer than all are repeatable


@dataclass(frozen=True)
class ShownSet:
    """A set that will be shown: what it is made of, its place among all, and its copies' numbers.

    `row` is its row's primary key.
    """

    source: ReadySet
    position: int
    numbers: set[int]
    row: int = 0


ImageRow = tuple[int, int, int, int | None, int | None, list[str]]
IMAGE_COLUMNS = ("image_set_id", "place", "arm_id", "sample_id", "collected_id", "copies")


def store_shown_images(
    *,
    campaign: Campaign,
    walk: Callable[[], Iterator[list[ShownSet]]],
    widest: int,
    images: int,
    copies: CopyStore,
) -> Iterator[tuple[list[ShownSet], list[ImageRow]]]:
    """Store what is shown of every set and of gold; yield the sets of each batch with their images.

    `walk` yields the sets by the batch, twice the same; `widest` is the width of the widest image,
    `images` how many all sets have together. Images come as rows of `IMAGE_COLUMNS`, to be written
    by the caller; the campaign learns which smaller copies there are, and is not saved by this.
    Gold is, and its unpadded images go with the commit. Examples, whose answer is told, are left as
    they are where pixels are kept, and packed like all others where not.
    """
    own = mixes_checks(campaign)
    # What is shown already, where an arm joins, is padded already.
    gold = [] if campaign.is_frozen else list(_gold(campaign))
    if not campaign.is_frozen:
        campaign.shown_widths = _widths(campaign, widest)
    packing = packing_of(campaign)
    of_gold = {_only(image.copies[0]) for image in gold}
    with copies.packed(packing) as packed:
        packed.measure(of_gold)
        looked = 0
        for sets in walk():
            wanted = _all_copies([_copies(each, own=own) for each in sets])
            told = packed.measure(wanted, looked, images)
            looked += sum(len(each.source.pictures) for each in sets)
            if told < looked:  # an image that sets share is measured once
                copies.on_packed(looked, images)
        names = packed.write(of_gold)
        if campaign.is_frozen:
            _lengthen(campaign, copies, packing)
        else:
            _replace(gold, names)
        for sets in walk():
            by_set = [_copies(each, own=own) for each in sets]
            names = packed.write(_all_copies(by_set))
            yield (
                sets,
                [
                    row
                    for each, rows in zip(sets, by_set, strict=True)
                    for row in _image_rows(each, rows, names)
                ],
            )


def _all_copies(wanted: Iterable[list[list[Copy | None]]]) -> set[Copy]:
    return {copy for rows in wanted for row in rows for copy in row if copy}


def _image_rows(
    shown: ShownSet, wanted: list[list[Copy | None]], names: Mapping[Copy, str]
) -> Iterator[ImageRow]:
    pictures = zip(shown.source.arms, shown.source.pictures, wanted, strict=True)
    for place, (arm, picture, row) in enumerate(pictures):
        yield (
            shown.row, place, arm.pk,
            picture.pk if isinstance(picture, Sample) else None,
            picture.pk if isinstance(picture, CollectedImage) else None,
            [names[copy] if copy else "" for copy in row],
        )  # fmt: skip


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


def _widths(campaign: Campaign, widest: int) -> list[int]:
    """Return the widths of smaller copies: those of the ladder below the widest image's."""
    if campaign.checked_rules.annotation.delivery is Delivery.LOSSLESS:
        return []
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
    old = bytearray()  # names, a line each: less than half of what a list takes
    for rows in _by_the_batch(main | _hidden_gold(campaign)):
        shown = {name for row in rows for name in row.copies if name}
        names = copies.lengthen(sorted(shown), packing)
        for row in rows:
            row.copies = [names[name] if name else "" for name in row.copies]
        ShownImage.objects.bulk_update(rows, ["copies"], batch_size=_AT_A_TIME)
        old += "".join(f"{name}\n" for name in shown).encode()
    _remove_on_commit(old, packing.every_width)


def _by_the_batch(images: QuerySet[ShownImage]) -> Iterator[list[ShownImage]]:
    """Yield the images in the order of their keys; what is done with them may change them."""
    images, last = images.order_by("pk"), 0
    while rows := list(images.filter(pk__gt=last)[:_AT_A_TIME]):
        yield rows
        last = rows[-1].pk


def mixes_checks(campaign: Campaign) -> bool:
    """Whether gold or repeats come between the items.

    Then a file that came before would tell itself from them, which are always new: every item has
    copies of its own, and what comes again a second one.
    """
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


def repeatable(campaign: Campaign, count: int) -> npt.NDArray[np.bool_]:
    """Return of so many items, in their order, which can come again."""
    found = np.zeros(count, dtype=bool)
    every = repeatable_every(campaign.checked_rules.quality, count)
    if every:
        rng = np.random.default_rng([campaign.seed, 2])  # not the streams of order and sides
        starts = np.arange(0, count, every)
        chosen = starts + rng.integers(every, size=len(starts))
        found[chosen[chosen < count]] = True
    return found


def _copies(shown: ShownSet, *, own: bool) -> list[list[Copy | None]]:
    """Return for each image of a set its copies by number; None where a number is not shown.

    `own`: an image that stands in several sets has copies of its own in each.
    """
    size = shown_size(shown.source.pictures)
    context = shown.position + 1 if own else 0
    rows = []
    for picture in shown.source.pictures:
        source = Source(picture.image, None if size_of(picture) == size else size)
        rows.append(
            [
                Copy(source, number, context) if number in shown.numbers else None
                for number in range(max(shown.numbers, default=0) + 1)
            ]
        )
    return rows


def _only(name: str) -> Copy:
    return Copy(Source(name), 0, 0)


def _replace(gold: Sequence[ShownImage], names: dict[Copy, str]) -> None:
    """Let gold show its padded copies, and remove what these were made of."""
    unpadded = "".join(f"{image.copies[0]}\n" for image in gold)
    for image in gold:
        image.copies = [names[_only(image.copies[0])]]
    ShownImage.objects.bulk_update(gold, ["copies"], batch_size=_AT_A_TIME)
    _remove_on_commit(unpadded.encode())


def _remove_on_commit(names: bytes | bytearray, widths: Sequence[int] = (FULL,)) -> None:
    """Remove files, by their names, a line each; of all these widths."""

    def remove() -> None:
        for name in names.decode().splitlines():
            for width in widths:
                default_storage.delete(name_at(name, width))

    transaction.on_commit(remove)
