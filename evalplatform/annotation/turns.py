"""Which of an annotator's turns are checks: settled before their first item, by chance alone.

Every turn is a check with the campaign's rates, whatever came before, so neither a place in the
work nor the item before tells anything. The draws depend on the enrolment's own secret seed, so
they cannot be worked out from what the protocol publishes, and how many checks lie ahead is known
from the start: the total that an annotator sees counts them in and does not move when one is
served.

A planned check that cannot be given is passed over (`annotation/sql/lease.sql`): a repeat becomes
gold until enough was judged, gold becomes nothing once all was seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from evalplatform.annotation.models import Enrolment
from evalplatform.campaigns.rules import Start
from evalplatform.campaigns.showing import repeatable_every

# The most items one annotator holds unanswered, but for a grid that shows more at once. More would
# be lent out for too long.
MAX_HELD = 8
_HELD_AT_THE_END = 2  # one on the screen, one to preload
_LEFT_FOR_ONE_MORE = 4
_ROTATIONS = 1_000_003  # places to begin at; a prime, so that no order of ours divides it
_STRIDES = 9_973  # a prime, too
# Items in one round through a criterion: about as many as one person judges, so that they get all
# round and meet everybody's items.
_SHORTEST_ROUND, _LONGEST_ROUND = 24, 96
_STRIDE_RANGE = 1 / _SHORTEST_ROUND - 1 / _LONGEST_ROUND


class Turn(IntEnum):
    ITEM = 0
    GOLD = 1
    REPEAT = 2


@dataclass(frozen=True)
class Stretch:
    """One criterion's part of the walk: items up to `end`, and its hidden gold."""

    criterion_id: int
    start: int
    end: int
    gold: int


class Walk(NamedTuple):
    """How an annotator goes through each criterion's order, as shares of it.

    `rotation`: where they begin, in [0, 1). `stride`: how far from one item to the next; less than
    an item is the next one. See annotation_step in sql/lease.sql.
    """

    rotation: float
    stride: float


def walk_of(enrolment: Enrolment) -> Walk:
    """Return the annotator's own walk, by their secret seed; one for all where the rules say so."""
    if enrolment.campaign.checked_rules.annotation.start is Start.FIRST:
        return Walk(0.0, 0.0)
    begins, rest = enrolment.check_seed % _ROTATIONS, enrolment.check_seed // _ROTATIONS
    own = rest % _STRIDES / _STRIDES
    return Walk(begins / _ROTATIONS, 1 / _LONGEST_ROUND + own * _STRIDE_RANGE)


def has_checks(enrolment: Enrolment) -> bool:
    """Whether the campaign's rules mix checks in."""
    quality = enrolment.campaign.checked_rules.quality
    return quality.gold_rate + quality.repeat_rate > 0


def turn_at(enrolment: Enrolment, number: int) -> Turn:
    """Return what the annotator's turn of this number is planned to be."""
    if not has_checks(enrolment):
        return Turn.ITEM
    return Turn(int(_turns(enrolment, number + 1)[-1]))


def first_repeat(enrolment: Enrolment) -> int:
    """Return how many items of a criterion are taken before a repeat can come.

    By then one that has a second copy lies the gap back.
    """
    quality = enrolment.campaign.checked_rules.quality
    every = repeatable_every(quality, enrolment.campaign.item_count)
    return quality.repeat_gap + 2 * every - 1


def most_held(left: int, grid: int = 0) -> int:
    """Return how many items an annotator may hold when so many lie before them.

    `grid`: how many are shown at once, where several are.

    At the end of a campaign nobody then waits for items that lie in reserve with somebody else.
    """
    return min(max(MAX_HELD, grid), _HELD_AT_THE_END + max(0, left) // _LEFT_FOR_ONE_MORE)


def checks_ahead(enrolment: Enrolment) -> int:
    """Return how many checks will be served before the last item beyond the cursor.

    That is if nobody else fills an item meanwhile: others can only lower it.
    """
    beyond = enrolment.campaign.item_count - enrolment.cursor - 1
    if beyond <= 0 or not has_checks(enrolment):
        return 0
    turns = _turns_until(enrolment, beyond)
    is_check = turns != Turn.ITEM
    next_pair = enrolment.cursor + 1 + np.cumsum(~is_check) - ~is_check
    kinds, places = turns[is_check], next_pair[is_check]
    return sum(
        _given(enrolment, stretch, kinds[within], places[within])
        for stretch in _stretches(enrolment)
        if (within := (places >= stretch.start) & (places < stretch.end)).any()
    )


def _given(enrolment: Enrolment, stretch: Stretch, kinds: np.ndarray, places: np.ndarray) -> int:
    """Return how many of these checks of one criterion can be given."""
    is_here = stretch.criterion_id == enrolment.criterion_id
    start = max(stretch.start, enrolment.cursor + 1)
    taken = places - start + (enrolment.taken_here if is_here else 0)
    repeats = int(((kinds == Turn.REPEAT) & (taken >= first_repeat(enrolment))).sum())
    gold_left = stretch.gold - (enrolment.gold_here if is_here else 0)
    return repeats + min(len(kinds) - repeats, max(0, gold_left))


def _stretches(enrolment: Enrolment) -> Iterator[Stretch]:
    start = 0
    for criterion_id, end, gold in enrolment.campaign.outline:
        yield Stretch(criterion_id, start, end, gold)
        start = end


def _turns_until(enrolment: Enrolment, pairs: int) -> np.ndarray:
    """Return the turns from the annotator's next one up to so many pairs ahead."""
    count = 2 * pairs + 64
    while True:
        ahead = _turns(enrolment, enrolment.turn + count)[enrolment.turn :]
        (places,) = np.nonzero(ahead == Turn.ITEM)
        if len(places) >= pairs:
            return ahead[: places[pairs - 1] + 1]
        count *= 2


def _turns(enrolment: Enrolment, count: int) -> np.ndarray:
    """Return the annotator's first `count` turns."""
    quality = enrolment.campaign.checked_rules.quality
    draws = np.random.default_rng(enrolment.check_seed).random(count)
    turns = np.full(count, Turn.ITEM, dtype=np.int8)
    turns[draws < quality.gold_rate + quality.repeat_rate] = Turn.REPEAT
    turns[draws < quality.gold_rate] = Turn.GOLD
    return turns
