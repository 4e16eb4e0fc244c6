"""The answers of a campaign as columns of numbers: the one reader of votes there is.

Statistics, quality measures and reports all read through it, so that one coding of an answer
exists. Hundreds of thousands of rows come column by column (`core.integer_columns`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from evalplatform.campaigns.models import Campaign
from evalplatform.core.integer_columns import Array, IntegerColumn, read_columns

MAIN, REPEAT, GOLD, QUALIFICATION = range(4)
LEFT, RIGHT, NO_SIDE = 0, 1, 2
TIE = 1  # what was said of a pair
UNKNOWN_MS = UNKNOWN_PX = UNKNOWN_ZOOM = -1
_MOST_IMAGES = 8
_LANGUAGE_BYTES = 7  # of a language's code: what an int8 holds without its sign
_BASE = 16  # grades are packed one hexadecimal digit a place

_PACKED = " + ".join(
    f"{_BASE**place} * coalesce(v.grades[{place + 1}], 0)::int8" for place in range(_MOST_IMAGES)
)
_ORDER = " + ".join(
    f'{_BASE**at} * coalesce(v."order"[{at + 1}], 0)::int8' for at in range(_MOST_IMAGES)
)
_COLUMNS = (
    IntegerColumn("vote", "v.id", "int8"),
    IntegerColumn("item", "a.item_id", "int8"),
    IntegerColumn("annotator", "v.annotator_id", "int8"),
    IntegerColumn("exclusion", "coalesce(v.exclusion_id, 0)", "int8"),
    IntegerColumn(
        "purpose",
        "CASE a.purpose WHEN 'main' THEN 0 WHEN 'repeat' THEN 1 WHEN 'gold' THEN 2 ELSE 3 END",
        "int2",
    ),
    IntegerColumn(
        "said",
        "CASE cardinality(v.grades) WHEN 2 THEN 1 - sign(v.grades[1] - v.grades[2])::int8"
        f" ELSE {_PACKED} END",
        "int8",
    ),
    IntegerColumn(
        "side", "CASE v.answer WHEN 'left' THEN 0 WHEN 'right' THEN 1 ELSE 2 END", "int2"
    ),
    IntegerColumn(
        "order",
        f'CASE cardinality(v.grades) WHEN 1 THEN 0 WHEN 2 THEN v."order"[1] + {_BASE} *'
        f' v."order"[2] ELSE {_ORDER} END',
        "int8",
    ),
    IntegerColumn("response_ms", f"coalesce(v.response_time_ms, {UNKNOWN_MS})", "int4"),
    IntegerColumn("is_simulated", "v.is_simulated::int", "int2"),
    IntegerColumn("shown_px", f"coalesce(v.shown_px, {UNKNOWN_PX})", "int4"),
    IntegerColumn("viewport_px", f"coalesce(v.viewport_width, {UNKNOWN_PX})", "int4"),
    IntegerColumn("zoomed", f"coalesce(v.zoomed::int, {UNKNOWN_ZOOM})", "int2"),
    IntegerColumn(
        "language",
        "CASE v.language WHEN '' THEN 0 ELSE ('x' || lpad(encode(convert_to(left(v.language,"
        f" {_LANGUAGE_BYTES}), 'UTF8'), 'hex'), 16, '0'))::bit(64)::int8 END",
        "int8",
    ),
)
_ITEM_COLUMNS = (
    IntegerColumn("item", "i.id", "int8"),
    IntegerColumn("criterion", "i.criterion_id", "int8"),
    IntegerColumn("image_set", "i.image_set_id", "int8"),
    IntegerColumn("prompt", "coalesce(s.prompt_id, 0)", "int8"),
)


@dataclass(frozen=True, eq=False)
class AnswerColumns:
    """Answers, entry i of each column describing answer i, in the order given.

    Attributes:
        vote, item, criterion, image_set, prompt, annotator: database ids; prompt 0 for gold.
        exclusion: id of the exclusion in force, 0 where the answer counts.
        purpose: MAIN, REPEAT, GOLD or QUALIFICATION.
        said: what it says of the images, equal where two answers say the same: of a pair 0 (the
            first image), 1 (a tie of any kind) or 2, as `stats.Outcome`; of one image its grade;
            of several their grades packed (`grades_of`).
        side: LEFT, RIGHT or NO_SIDE, as pressed; NO_SIDE where imported votes do not tell.
        order: which place of the set was shown at each position, packed (`order_of`); a filler
            where imported votes do not tell (`Campaign.knows_sides`).
        response_ms: milliseconds, UNKNOWN_MS where unknown.
        is_simulated: 0 or 1.
        shown_px: device pixels of an image's side before any zoom, UNKNOWN_PX where unknown.
        viewport_px: CSS pixels of the window's width, UNKNOWN_PX where unknown.
        zoomed: 0 or 1, UNKNOWN_ZOOM where unknown.
        language: in which the question was read, packed (`packed_language`); 0 as it was written.
    """

    vote: Array
    item: Array
    criterion: Array
    image_set: Array
    prompt: Array
    annotator: Array
    exclusion: Array
    purpose: Array
    said: Array
    side: Array
    order: Array
    response_ms: Array
    is_simulated: Array
    shown_px: Array
    viewport_px: Array
    zoomed: Array
    language: Array

    def __len__(self) -> int:
        return len(self.vote)

    def where(self, keep: npt.NDArray[np.bool_]) -> AnswerColumns:
        """The answers for which `keep` is true; the same columns where all are kept."""
        if keep.all():
            return self
        return type(self)(*(getattr(self, each.name)[keep] for each in fields(self)))

    def counting(self) -> AnswerColumns:
        """The answers that nobody excluded."""
        return self.where(self.exclusion == 0)


def answer_columns(campaign: Campaign, *, annotator: int | None = None) -> AnswerColumns:
    """Read every answer stored in a campaign, checks among them, in the order given.

    Answers taken back are left out; excluded ones are there (`counting` leaves them out). With
    `annotator` (a database id): theirs, and everybody's on the items that they judged.
    """
    key = int(campaign.pk)
    where = ""
    if annotator is not None:
        # By their votes: an exclusion takes the slot from them, and the vote stays theirs.
        where = (
            " AND a.item_id IN (SELECT mine.item_id FROM annotation_vote my"
            " JOIN annotation_assignment mine ON mine.id = my.assignment_id"
            f" WHERE my.annotator_id = {int(annotator)} AND mine.campaign_id = {key})"
        )
    return _read(campaign, where)


def vote_columns(campaign: Campaign) -> AnswerColumns:
    """Read the votes stored on a campaign's items, in the order cast: no check is among them."""
    return _read(campaign, " AND a.purpose = 'main'")


def _read(campaign: Campaign, where: str) -> AnswerColumns:
    key = int(campaign.pk)
    votes = read_columns(
        _COLUMNS,
        "FROM annotation_vote v JOIN annotation_assignment a ON a.id = v.assignment_id"
        f" WHERE a.campaign_id = {key} AND v.retracted_at IS NULL{where}",
    )
    order = np.argsort(votes["vote"], kind="stable")
    votes = {name: votes[name][order] for name in list(votes)}
    if not campaign.knows_sides:
        votes["side"] = np.full_like(votes["side"], NO_SIDE)
    items = read_columns(
        _ITEM_COLUMNS,
        "FROM campaigns_item i JOIN campaigns_imageset s ON s.id = i.image_set_id"
        f" WHERE i.campaign_id = {key}",
    )
    by_id = np.argsort(items["item"])
    place = by_id[np.searchsorted(items["item"], votes["item"], sorter=by_id)]
    found = {name: items[name][place] for name in ("criterion", "image_set", "prompt")}
    return AnswerColumns(**found, **votes)


def packed_grades(grades: Sequence[int]) -> int:
    """Return what `AnswerColumns.said` holds of grades by place, as the database packs them."""
    if len(grades) == 2:
        return 1 - (grades[0] > grades[1]) + (grades[0] < grades[1])
    return sum(_BASE**place * grade for place, grade in enumerate(grades))


def packed_order(order: Sequence[int]) -> int:
    """Return what `AnswerColumns.order` holds of an order of showing, as the database packs it."""
    return sum(_BASE**at * place for at, place in enumerate(order))


def packed_language(code: str) -> int:
    """Return what `AnswerColumns.language` holds of a language's code, as the database packs it."""
    return int.from_bytes(code[:_LANGUAGE_BYTES].encode(), "big")


def language_of(packed: int) -> str:
    """Return the code of a language that was packed so; empty for 0."""
    return packed.to_bytes(_LANGUAGE_BYTES + 1, "big").lstrip(b"\0").decode()


def grades_of(said: Array, n: int) -> Array:
    """Return the grades by place, shape (answers, n), of what was said of n images."""
    if n == 2:
        return np.stack([said == 0, said == 2], axis=1).astype(np.int64)
    return _digits(said, n)


def order_of(order: Array, n: int) -> Array:
    """Return which of n places was shown at each position, shape (answers, n)."""
    return _digits(order, n)


def _digits(packed: Array, n: int) -> Array:
    return (packed[:, None] // _BASE ** np.arange(n)) % _BASE
