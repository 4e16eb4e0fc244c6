"""Making a campaign's image sets and items when it opens.

Sets are read by the batch, three times: to look at all, to measure their images, to write. What is
held of all of them at once is a few numbers each.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from evalplatform.campaigns.copies import CopyStore
from evalplatform.campaigns.images import shown_size
from evalplatform.campaigns.models import (
    Arm,
    Campaign,
    Criterion,
    ImageSet,
    Item,
    ShownImage,
    Withheld,
)
from evalplatform.campaigns.safety import (
    Screening,
    refuse_nothing_left,
    refuse_unsafe_gold,
    store_screening,
)
from evalplatform.campaigns.sample_faults import FaultCounter, SampleFaults
from evalplatform.campaigns.selectors import ReadySet
from evalplatform.campaigns.showing import (
    IMAGE_COLUMNS,
    ShownSet,
    mixes_checks,
    repeatable,
    store_shown_images,
)
from evalplatform.campaigns.walking import SetWalk, walk_newcomers_sets, walk_sets
from evalplatform.core.copy_in import copy_in, reserve_ids
from evalplatform.core.errors import BadInputError


@dataclass(frozen=True)
class ItemsOfCriterion:
    """The new items of one criterion, in the order of the walk; entry i describes item i.

    Attributes:
        first: the position of item 0.
        sets: (N,) int32, which of the new sets.
        sizes: (N,) uint8, how many images it has.
        repeatable: (N,) whether it can come again.
        copy: which of its images' files all of them show.
        keys: (N,) primary keys.
    """

    criterion: Criterion
    first: int
    sets: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.uint8]
    repeatable: npt.NDArray[np.bool_]
    copy: int
    keys: "array[int]"

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def end(self) -> int:
        """The position after the last item."""
        return self.first + len(self)


@dataclass(frozen=True)
class Created:
    """Items that were made, and what is known to be wrong with their images."""

    items: list[ItemsOfCriterion]
    faults: SampleFaults


def create_items(*, campaign: Campaign, copies: CopyStore) -> Created:
    """Create an item for every (criterion, set of images), in seeded random order per criterion.

    Where the rules ask for the safety filter, sets with an unsafe image are left out and the image
    is `Withheld`. What annotators are sent, gold included, is stored through `copies`. The caller
    holds the campaign's row lock. Raises `BadInputError` while samples or their safety scores are
    missing.
    """
    return _create(campaign, walk_sets(campaign), copies)


def create_newcomers_items(*, campaign: Campaign, newcomer: Arm, copies: CopyStore) -> Created:
    """Create the items in which an arm that joins an open campaign meets the others.

    They come after all that is there, criterion by criterion; as `create_items` otherwise.
    """
    return _create(campaign, walk_newcomers_sets(campaign, newcomer), copies)


def _create(campaign: Campaign, walk: SetWalk, copies: CopyStore) -> Created:
    survey = _Survey(campaign, walk)
    survey.faults.refuse()
    refuse_unsafe_gold(campaign, survey.withheld)
    store_screening(
        campaign=campaign, detector=survey.screening.detector, withheld=survey.withheld,
        dropped=survey.dropped,
    )  # fmt: skip
    items = _ordered(campaign, survey.sizes)
    _write(campaign, survey, items, copies)
    campaign.outline = [*campaign.outline, *_outline(campaign, items)]
    campaign.item_count += sum(map(len, items))
    campaign.save(update_fields=["outline", "item_count", "shown_widths"])
    return Created(items, survey.faults.faults)


class _Survey:
    """One look at all sets, before anything is written.

    Raises `BadInputError` where images or safety scores are missing, or no set is left.

    Attributes:
        sizes: how many images each set has that passes, by its place among these.
        dropped: how many sets do not.
        widest: the width of the widest image as it is shown.
    """

    def __init__(self, campaign: Campaign, walk: SetWalk) -> None:
        self._walk = walk
        self.screening = Screening(campaign, self._complete)
        self.faults = FaultCounter(campaign)
        self.sizes = bytearray()
        self.dropped = self.widest = 0
        withheld: dict[tuple[int, int | None, int], Withheld] = {}
        for sets in self._complete():
            screened = self.screening.part(sets)
            self.dropped += len(screened.dropped)
            for each in screened.withheld:
                withheld[each.arm.place, each.picture.prompt_id, each.number] = each
            for ready in screened.passed:
                self._take(ready)
        self.withheld = list(withheld.values())
        if self.screening.detector and not self.sizes:
            refuse_nothing_left(campaign, self.screening.detector, self.dropped)

    def _complete(self) -> Iterator[list[ReadySet]]:
        missing = sets = 0
        for batch in self._walk:
            missing += batch.missing
            sets += len(batch.sets)
            yield batch.sets
        if missing or not sets:
            raise self._walk.refusal(missing)

    def _take(self, ready: ReadySet) -> None:
        self.faults.add(ready)
        self.sizes.append(len(ready.pictures))
        self.widest = max(self.widest, shown_size(ready.pictures)[0])

    def passed(self) -> Iterator[list[ReadySet]]:
        """Read the sets that pass once more."""
        for batch in self._walk:
            yield self.screening.part(batch.sets).passed


def _ordered(campaign: Campaign, sizes: bytearray) -> list[ItemsOfCriterion]:
    """Return the items of each criterion that asks about some of these sets, in its own order."""
    there = campaign.item_count
    rng = np.random.default_rng([campaign.seed, 4, there] if there else campaign.seed)
    of_sets = np.frombuffer(sizes, dtype=np.uint8)
    walks: list[tuple[int, Criterion, npt.NDArray[np.int32]]] = []
    for place, criterion in enumerate(campaign.criteria.all()):
        takes = [size for size in np.unique(of_sets) if criterion.shape.takes(int(size))]
        asked = np.flatnonzero(np.isin(of_sets, takes)).astype(np.int32)
        walks.append((place, criterion, asked[rng.permutation(len(asked))]))
    count = sum(len(walk) for _, _, walk in walks)
    again, has_checks = repeatable(campaign, count), mixes_checks(campaign)
    keys = reserve_ids(Item, count)
    items, at = [], 0
    for place, criterion, walk in walks:
        end = at + len(walk)
        if len(walk):
            items.append(
                ItemsOfCriterion(
                    criterion, there + at, walk, of_sets[walk], again[at:end],
                    2 * place if has_checks else 0, keys[at:end],
                )
            )  # fmt: skip
        at = end
    return items


class _Numbers:
    """Which copies of each set are shown, under all criteria."""

    def __init__(self, items: list[ItemsOfCriterion], sets: int) -> None:
        self._shown = [(each.copy, np.zeros(sets, dtype=np.uint8)) for each in items]
        for (_, times), each in zip(self._shown, items, strict=True):
            times[each.sets] = 1 + each.repeatable

    def of(self, at: int) -> set[int]:
        """Return the numbers of the copies of set `at`."""
        return {copy + more for copy, times in self._shown for more in range(times[at])}


def _write(
    campaign: Campaign, survey: _Survey, items: list[ItemsOfCriterion], copies: CopyStore
) -> None:
    """Write sets, their images and items; store what is shown."""
    there = campaign.image_sets.main().count()
    keys = reserve_ids(ImageSet, len(survey.sizes))
    numbers = _Numbers(items, len(keys))

    def walk() -> Iterator[list[ShownSet]]:
        at = 0
        for sets in survey.passed():
            yield [
                ShownSet(each, there + place, numbers.of(place), keys[place])
                for place, each in enumerate(sets, at)
            ]
            at += len(sets)

    batches = store_shown_images(
        campaign=campaign, walk=walk, widest=survey.widest, images=sum(survey.sizes), copies=copies
    )
    written = 0
    for sets, images in batches:
        written += copy_in(
            ImageSet,
            ("id", "campaign_id", "purpose", "position", "prompt_id", "prompt_text", "why",
             "origin"),
            map(partial(_set_row, campaign), sets),
        )  # fmt: skip
        copy_in(ShownImage, IMAGE_COLUMNS, images)
    if written != len(keys):
        raise BadInputError(
            f"campaign {campaign.slug!r}: its images changed while it was opened; open it again."
        )
    copy_in(
        Item,
        ("id", "campaign_id", "criterion_id", "image_set_id", "position", "copy", "repeatable"),
        (row for each in items for row in _item_rows(campaign, each, keys)),
    )


def _set_row(campaign: Campaign, shown: ShownSet) -> tuple[object, ...]:
    source = shown.source
    return (shown.row, campaign.pk, ImageSet.Purpose.MAIN.value, shown.position, source.prompt.pk,
            source.text or source.prompt.text, "", "{}")  # fmt: skip


def _item_rows(
    campaign: Campaign, items: ItemsOfCriterion, keys: "array[int]"
) -> Iterable[tuple[object, ...]]:
    for at, (key, shown, again) in enumerate(
        zip(items.keys, items.sets, items.repeatable, strict=True)
    ):
        yield (key, campaign.pk, items.criterion.pk, keys[shown], items.first + at, items.copy,
               bool(again))  # fmt: skip


def _outline(campaign: Campaign, items: list[ItemsOfCriterion]) -> list[list[int]]:
    """Return [criterion, where its items end, its hidden gold] in the walk's order.

    Hidden gold counts to the first stretch of its criterion.
    """
    known = {criterion for criterion, _, _ in campaign.outline}
    checks = campaign.image_sets.filter(purpose=ImageSet.Purpose.CHECK)
    gold = Counter(checks.exclude(criterion__in=known).values_list("criterion", flat=True))
    return [[each.criterion.pk, each.end, gold[each.criterion.pk]] for each in items]
