"""Writing an imported campaign: every row of it in one transaction."""

import json
import uuid
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from evalplatform.annotation.models import Assignment, Enrolment, Vote, new_check_seed
from evalplatform.campaigns.models import Arm, Campaign, Criterion, ImageSet, Item, ShownImage
from evalplatform.core.copy_in import copy_in, reserve_ids
from evalplatform.imports.gathering import (
    EPOCH,
    MICROSECOND,
    NO_TIME,
    GatheredVotes,
    Gathering,
    SetsOfModels,
)
from evalplatform.imports.people import store_annotators

Progress = Callable[[str, int, int | None], None]
_STEP = 5000
Keys: TypeAlias = "array[int]"  # primary keys, or positions


@dataclass(frozen=True)
class Rows:
    """What is written beside the votes: a campaign that is stored, and what belongs to it."""

    campaign: Campaign
    arms: list[Arm]
    criteria: list[Criterion]
    prompts: list[tuple[int, str]]  # primary key and text, by number


def write_votes(
    *, rows: Rows, gathered: Gathering, votes: GatheredVotes, now: datetime, progress: Progress
) -> None:
    """Write sets, items, annotators, slots and votes. The caller holds the transaction."""
    sets = reserve_ids(ImageSet, len(votes.sets))
    copy_in(
        ImageSet,
        ("id", "campaign_id", "purpose", "position", "prompt_id", "prompt_text", "why", "origin"),
        _image_sets(rows, gathered, votes.sets, sets),
    )  # fmt: skip
    copy_in(
        ShownImage,
        ("image_set_id", "place", "arm_id", "copies"),
        _images(rows, gathered, votes.sets, sets),
    )
    items, positions = _write_items(rows, votes, sets)
    people = store_annotators(
        campaign=rows.campaign.slug, given=list(gathered.annotators),
        simulated=gathered.simulated, now=now,
    )  # fmt: skip
    copy_in(
        Enrolment,
        ("campaign_id", "annotator_id", "consented_at", "status", "address_hash", "browser_hash",
         "cursor", "served", "taken_here", "gold_here", "check_seed", "turn", "judged"),
        _enrolments(rows.campaign, people, votes, now),
    )  # fmt: skip
    slots = reserve_ids(Assignment, len(votes))
    writing = _Slots(rows, gathered, votes, items, positions, people, slots, now)
    copy_in(
        Assignment,
        ("id", "campaign_id", "purpose", "item_id", "slot", "order", "serve_order",
         "annotator_id", "leased_at", "lease_expires_at", "completed_at"),
        _counted("slots", len(votes), writing.assignments(), progress),
    )  # fmt: skip
    copy_in(
        Vote,
        ("assignment_id", "annotator_id", "form", "answer", "marks", "order", "grades",
         "idempotency_key", "is_simulated", "voted_at"),
        _counted("votes", len(votes), writing.votes_rows(), progress),
    )  # fmt: skip


def _image_sets(
    rows: Rows, gathered: Gathering, sets: SetsOfModels, keys: Keys
) -> Iterator[tuple[Any, ...]]:
    known = list(gathered.images)
    columns = zip(keys, sets.prompt, sets.images, strict=True)
    for position, (key, number, images) in enumerate(columns):
        prompt, text = rows.prompts[number]
        origin = json.dumps({"images": known[images]}) if known[images] else "{}"
        yield key, rows.campaign.pk, "main", position, prompt, text, "", origin


def _images(
    rows: Rows, gathered: Gathering, sets: SetsOfModels, keys: Keys
) -> Iterator[tuple[Any, ...]]:
    arms = {arm.model: arm.pk for arm in rows.arms}
    known = list(gathered.models)
    for key, models in zip(keys, sets.models, strict=True):
        for place, model in enumerate(known[models]):
            yield key, place, arms[model], [""]


def _write_items(rows: Rows, votes: GatheredVotes, sets: Keys) -> tuple[Keys, Keys]:
    """Write the items, criterion by criterion; return keys and positions by number."""
    keys = reserve_ids(Item, len(votes.items))
    walk = np.argsort(votes.items[:, 0], kind="stable")
    positions = np.empty(len(walk), dtype=np.int64)
    positions[walk] = np.arange(len(walk))
    copy_in(
        Item,
        ("id", "campaign_id", "criterion_id", "image_set_id", "position", "copy", "repeatable"),
        (
            (key, rows.campaign.pk, rows.criteria[criterion].pk, sets[judged], position, 0, False)
            for key, (criterion, judged), position in zip(keys, votes.items, positions, strict=True)
        ),
    )
    ends = np.cumsum(np.bincount(votes.items[:, 0], minlength=len(rows.criteria)))
    rows.campaign.outline = [
        [each.pk, int(end), 0] for each, end in zip(rows.criteria, ends, strict=True)
    ]
    rows.campaign.item_count = len(keys)
    rows.campaign.save(update_fields=["outline", "item_count"])
    return keys, array("q", positions)


def _enrolments(
    campaign: Campaign, people: Keys, votes: GatheredVotes, now: datetime
) -> Iterator[tuple[Any, ...]]:
    judged = np.bincount(votes.annotator, minlength=len(people)).tolist()
    last = campaign.item_count - 1
    for key, count in zip(people, judged, strict=True):
        yield (campaign.pk, key, now, Enrolment.Status.ACTIVE, "", "", last, count, 0, 0,
               new_check_seed(), 0, count)  # fmt: skip


class _Slots:
    """The slots and votes of an import, row by row."""

    def __init__(
        self,
        rows: Rows,
        gathered: Gathering,
        votes: GatheredVotes,
        items: Keys,
        positions: Keys,
        people: Keys,
        slots: Keys,
        now: datetime,
    ) -> None:
        self._campaign, self._votes, self._now = rows.campaign, votes, now
        self._items, self._positions = items, positions
        self._people, self._keys = people, slots
        # Of each different thing that was said: form, answer, order and grades.
        self._said = []
        for criterion, order, answer in gathered.says:
            asked = gathered.asked[criterion]
            shape, stored = rows.criteria[criterion].shape, asked.stored(answer)
            grades = shape.grades(stored, order)
            self._said.append((shape.name, stored, list(order), list(grades)))

    def _time(self, microseconds: int) -> datetime:
        return self._now if microseconds == NO_TIME else EPOCH + microseconds * MICROSECOND

    def assignments(self) -> Iterator[tuple[Any, ...]]:
        rows = self._votes.rows(self._votes.slots())
        for key, (item, annotator, said, time, _, slot) in zip(self._keys, rows, strict=True):
            at = self._time(time)
            yield (key, self._campaign.pk, "main", self._items[item], slot, self._said[said][2],
                   self._positions[item], self._people[annotator], at,
                   at + MICROSECOND, at)  # fmt: skip

    def votes_rows(self) -> Iterator[tuple[Any, ...]]:
        for key, (_, annotator, said, time, simulated) in zip(
            self._keys, self._votes.rows(), strict=True
        ):
            form, answer, order, grades = self._said[said]
            yield (key, self._people[annotator], form, answer, [], order, grades, uuid.uuid4(),
                   bool(simulated), self._time(time))  # fmt: skip


def _counted(
    what: str, total: int, rows: Iterable[tuple[Any, ...]], progress: Progress
) -> Iterator[tuple[Any, ...]]:
    for done, row in enumerate(rows):
        if done % _STEP == 0:
            progress(what, done, total)
        yield row
    progress(what, total, total)
