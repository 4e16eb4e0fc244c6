"""Which copies of which images a campaign shows."""

from collections.abc import Sequence

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction

from evalplatform.campaigns.copies import Copy, CopyStore, Source
from evalplatform.campaigns.images import Size, shown_size, size_of
from evalplatform.campaigns.models import Campaign, Comparison, GoldPair
from evalplatform.campaigns.rules import QualityRules
from evalplatform.generation.models import Sample

_LEAST_REPEATABLE = 5  # of so many comparisons one
_SMALL = 100  # comparisons; from twice as many on fewer than all are repeatable


def store_shown_images(
    *, campaign: Campaign, comparisons: Sequence[Comparison], copies: CopyStore
) -> None:
    """Store what is shown of comparisons and gold pairs, and put its names into them.

    Comparisons are not saved by this. Gold pairs are, and their unpadded images go with the
    commit; examples are left as they are, since their answer is told.
    """
    first = [_pair(each, number) for each, number in _numbered(campaign, comparisons)]
    again = {
        index: _pair(comparisons[index], _repeat_number(first[index]))
        for index in _repeatable(campaign, len(comparisons))
    }
    gold = list(campaign.gold_pairs.exclude(purpose=GoldPair.Purpose.EXAMPLE))
    wanted = {copy for pair in [*first, *again.values()] for copy in pair}
    wanted |= {_only(name) for pair in gold for name in _images(pair)}
    names = copies.store(wanted)
    for comparison, pair in zip(comparisons, first, strict=True):
        comparison.image_a, comparison.image_b = (names[copy] for copy in pair)
    for index, pair in again.items():
        comparison = comparisons[index]
        comparison.repeat_image_a, comparison.repeat_image_b = (names[copy] for copy in pair)
    _replace(gold, names)


def _numbered(
    campaign: Campaign, comparisons: Sequence[Comparison]
) -> list[tuple[Comparison, int]]:
    """Return every comparison with the number of the copies that show it.

    Where checks are mixed in, a file that came under an earlier criterion would tell itself from
    a gold pair or a repeat, which are always new: then every criterion has copies of its own.
    """
    quality = campaign.checked_rules.quality
    has_checks = quality.gold_rate or quality.repeat_rate or quality.qualification_pairs
    numbers = {each.pk: 2 * place for place, each in enumerate(campaign.criteria.all())}
    return [(each, numbers[each.criterion_id] if has_checks else 0) for each in comparisons]


def _repeat_number(first: tuple[Copy, Copy]) -> int:
    return first[0].number + 1


def repeatable_every(quality: QualityRules, comparisons: int) -> int:
    """Return of how many comparisons in a row one can come again: it has a second copy.

    So that a second copy of everything is not stored, only four times as many have one as come
    again on average, at least a fifth; all of them in a small campaign. 0: none comes again.
    """
    if not quality.repeat_rate:
        return 0
    pairs = 1 - quality.gold_rate - quality.repeat_rate  # share of turns that are no check
    needed = int(pairs / (4 * quality.repeat_rate))
    return max(1, min(needed, _LEAST_REPEATABLE, comparisons // _SMALL))


def _repeatable(campaign: Campaign, count: int) -> list[int]:
    """Return which comparisons can come again: of every few in a row, one at random."""
    every = repeatable_every(campaign.checked_rules.quality, count)
    if not every:
        return []
    rng = np.random.default_rng([campaign.seed, 2])  # not the streams of order and sides
    starts = np.arange(0, count, every)
    chosen = starts + rng.integers(every, size=len(starts))
    return [int(index) for index in chosen if index < count]


def _pair(comparison: Comparison, number: int) -> tuple[Copy, Copy]:
    size = shown_size(comparison.sample_a, comparison.sample_b)
    a, b = (_source(each, size) for each in (comparison.sample_a, comparison.sample_b))
    return Copy(a, number), Copy(b, number)


def _source(sample: Sample, size: Size) -> Source:
    return Source(sample.image, None if size_of(sample) == size else size)


def _images(pair: GoldPair) -> tuple[str, str]:
    return pair.better_image, pair.worse_image


def _only(name: str) -> Copy:
    return Copy(Source(name), 0)


def _replace(gold: Sequence[GoldPair], names: dict[Copy, str]) -> None:
    """Let gold pairs show their padded copies, and remove what these were made of."""
    unpadded = [name for pair in gold for name in _images(pair)]
    for pair in gold:
        pair.better_image, pair.worse_image = (names[_only(name)] for name in _images(pair))
    GoldPair.objects.bulk_update(gold, ["better_image", "worse_image"], batch_size=1000)

    def remove() -> None:
        for name in unpadded:
            default_storage.delete(name)

    transaction.on_commit(remove)
