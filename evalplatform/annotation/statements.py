"""The statements that every request of an annotator runs, by hand (see `core.rows` for why).

They say what the models' managers could say, only faster: under load, building such queries is
most of what the server does.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.utils.translation import get_language

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, Vote
from evalplatform.campaigns.models import Campaign, Criterion, ImageSet, Item
from evalplatform.campaigns.packing import FULL, name_at
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.core.rows import Columns, ask_together

# ---- the enrolment ------------------------------------------------------------------------------

_KNOWN = Columns(Enrolment, "mine", "campaign", "annotator")
_MINE = Columns(
    Enrolment, "mine", "campaign", "annotator", "status", "understood_at",
    "qualified_at", "qualification_try", "questionnaire", "cursor", "criterion", "served",
    "judged", "last_vote", "taken_here", "gold_here", "check_seed", "turn", "total",
)  # fmt: skip
_CAMPAIGN = Columns(
    Campaign, "campaign", "status", "lease_seconds", "seed", "item_count", "slug", "outline",
    "shown_widths", "leads_on",
)  # fmt: skip
_ANNOTATOR = Columns(Annotator, "person", "is_simulated")
_LAST_VOTE = Columns(Vote, "last", "assignment", "idempotency_key", "voted_at", "retracted_at")
_LAST_ASSIGNMENT = Columns(Assignment, "judged", "public_id", "purpose")

_FIND_ENROLMENT = f"""
SELECT {_KNOWN.sql}
FROM annotation_enrolment mine JOIN campaigns_campaign campaign ON campaign.id = mine.campaign_id
WHERE mine.annotator_id = %s AND campaign.invitation = %s
"""
_LOCK_ENROLMENT = f"""
SELECT {_MINE.sql}, {_CAMPAIGN.sql}, {_ANNOTATOR.sql}, {_LAST_VOTE.sql}, {_LAST_ASSIGNMENT.sql},
    campaign.rules::text
FROM annotation_enrolment mine
JOIN campaigns_campaign campaign ON campaign.id = mine.campaign_id
JOIN accounts_annotator person ON person.id = mine.annotator_id
LEFT JOIN annotation_vote last ON last.id = mine.last_vote_id
LEFT JOIN annotation_assignment judged ON judged.id = last.assignment_id
WHERE {{}}
FOR UPDATE OF mine
"""
_LOCK_BY_ID = _LOCK_ENROLMENT.format("mine.id = %s")
_LOCK_BY_KEYS = _LOCK_ENROLMENT.format("mine.annotator_id = %s AND campaign.invitation = %s")


def unread_enrolment(annotator_id: int, invitation: str) -> Enrolment:
    """Return whose enrolment it is and in what, for `lock_enrolment`; nothing is read.

    No other field has a value, not even its default: a new seed costs a call of the system.
    """
    enrolment = Enrolment.from_db(None, ["id", "annotator_id"], [None, annotator_id])
    enrolment.campaign = Campaign.from_db(None, ["id", "invitation"], [None, invitation])
    return enrolment


def find_enrolment(annotator_id: int, invitation: str) -> Enrolment | None:
    """Return the enrolment with its keys alone, or None."""
    row = _one(_FIND_ENROLMENT, [annotator_id, invitation])
    return _KNOWN.read(row, 0)[0] if row else None


def lock_enrolment(enrolment: Enrolment) -> Enrolment:
    """Lock an enrolment's row and return it, its campaign, annotator and last vote read along.

    One that was never read is found by its annotator and its campaign's invitation. Raises
    `Enrolment.DoesNotExist`.
    """
    (rows,) = ask_together(_lock(enrolment))
    return _locked(rows)


def _lock(enrolment: Enrolment) -> tuple[str, list[Any]]:
    if enrolment.pk is None:
        return _LOCK_BY_KEYS, [enrolment.annotator_id, enrolment.campaign.invitation]
    return _LOCK_BY_ID, [enrolment.pk]


def _locked(rows: Sequence[Sequence[Any]]) -> Enrolment:
    if not rows:
        raise Enrolment.DoesNotExist("this annotator has not agreed to take part")
    (row,) = rows
    mine, end = _MINE.read(row, 0)
    campaign, end = _CAMPAIGN.read(row, end)
    annotator, end = _ANNOTATOR.read(row, end)
    vote, end = _LAST_VOTE.read(row, end)
    judged, end = _LAST_ASSIGNMENT.read(row, end)
    assert mine
    assert campaign
    assert annotator
    campaign.checked_rules = _rules_of(row[end])
    mine.campaign, mine.annotator = campaign, annotator
    # A vote stored while this statement waited for the lock is not in its snapshot: then it is
    # left to be read when somebody asks for it.
    if vote and judged:
        vote.assignment = judged
        mine.last_vote = vote
    return mine


@lru_cache(maxsize=64)
def _rules_of(text: str) -> Rules:
    """Return the rules that a campaign keeps: those of few campaigns, asked for by every vote."""
    return parse_rules(json.loads(text))


# ---- items --------------------------------------------------------------------------------------

_HELD = """
SELECT held.id, held.lease_expires_at FROM annotation_assignment held
WHERE held.annotator_id = %s AND held.campaign_id = {} AND held.completed_at IS NULL
  AND (held.slot IS NOT NULL OR held.purpose = 'qualification' OR held.lease_expires_at > %s)
"""
_HELD_OF_CAMPAIGN = _HELD.format("%s")
_HELD_OF_INVITATION = _HELD.format("(SELECT id FROM campaigns_campaign WHERE invitation = %s)")

_OTHERS_HOLD = """
SELECT 1 FROM annotation_assignment held
JOIN annotation_enrolment mine ON mine.id = %s
JOIN campaigns_campaign campaign ON campaign.id = mine.campaign_id
WHERE held.campaign_id = mine.campaign_id AND held.annotator_id IS NOT NULL
  AND held.completed_at IS NULL AND held.purpose = 'main'
  AND annotation_may_judge(mine.annotator_id, held.item_id, %s,
      annotation_furthest(mine.criterion_id, mine.cursor, campaign.outline))
LIMIT 1
"""

_SHOWN = Columns(
    Assignment, "shown", "public_id", "purpose", "slot", "order", "leased_at", "lease_expires_at",
    "annotator", "campaign", "item",
)  # fmt: skip
_ITEM = Columns(Item, "item", "criterion", "image_set")
_IMAGE_SET = Columns(ImageSet, "images", "prompt_text")
_CRITERION = Columns(
    Criterion, "asked", "slug", "question", "instructions", "form", "heads", "shows_prompt"
)
_SHOW = f"""
SELECT {_SHOWN.sql}, {_ITEM.sql}, {_IMAGE_SET.sql}, {_CRITERION.sql},
    asked.translations -> %s
FROM annotation_assignment shown
JOIN campaigns_item item ON item.id = shown.item_id
JOIN campaigns_imageset images ON images.id = item.image_set_id
JOIN campaigns_criterion asked ON asked.id = item.criterion_id
WHERE shown.id = ANY(%s)
ORDER BY shown.leased_at, shown.id
"""


Lease = tuple[int, datetime]
"""An assignment that somebody holds and has not answered: its id, and when its lease ends."""


def held_leases(enrolment: Enrolment, now: datetime) -> list[Lease]:
    """Return what the annotator holds in the campaign.

    A check whose lease ran out is not offered again. Others may have taken every other item by
    then; the one that stayed would be known as a check.
    """
    return _all(*_held(enrolment, now))


def lock_with_leases(enrolment: Enrolment, now: datetime) -> tuple[Enrolment, list[Lease]]:
    """Do what `lock_enrolment` and then `held_leases` do, in one trip to the server."""
    mine, held = ask_together(_lock(enrolment), _held(enrolment, now))
    return _locked(mine), [(identifier, until) for identifier, until in held]


def _held(enrolment: Enrolment, now: datetime) -> tuple[str, list[Any]]:
    if enrolment.pk is None:
        return _HELD_OF_INVITATION, [enrolment.annotator_id, enrolment.campaign.invitation, now]
    return _HELD_OF_CAMPAIGN, [enrolment.annotator_id, enrolment.campaign_id, now]


def others_hold_the_rest(enrolment: Enrolment) -> bool:
    """Whether somebody else holds an item just now that this annotator may judge."""
    rule = enrolment.campaign.checked_rules.annotation.same_pair.value
    return _one(_OTHERS_HOLD, [enrolment.pk, rule]) is not None


def assignments_to_show(identifiers: Sequence[int]) -> list[Assignment]:
    """Return the assignments with what a page shows of them, first leased first.

    Of a criterion's translations only the one in the active language is read.
    """
    language = get_language() or ""
    return [_shown(row, language) for row in _all(_SHOW, [language, list(identifiers)])]


def _shown(row: Sequence[Any], language: str) -> Assignment:
    shown, end = _SHOWN.read(row, 0)
    item, end = _ITEM.read(row, end)
    image_set, end = _IMAGE_SET.read(row, end)
    criterion, end = _CRITERION.read(row, end)
    assert shown
    assert item
    assert image_set
    assert criterion
    criterion.translations = {language: json.loads(row[end])} if row[end] else {}
    item.image_set, item.criterion = image_set, criterion
    shown.item = item
    return shown


# The file that is shown at one position: the one of its item, or where the item comes a second
# time the next one. Arrays of the database begin at 1.
_FILE = """
SELECT image.copies[item.copy + 1 + (held.purpose = 'repeat')::int], campaign.shown_widths
FROM annotation_assignment held
JOIN campaigns_campaign campaign ON campaign.id = held.campaign_id
JOIN campaigns_item item ON item.id = held.item_id
JOIN campaigns_shownimage image
    ON image.image_set_id = item.image_set_id AND image.place = held."order"[%s]
WHERE held.public_id = %s AND held.annotator_id = ANY(%s::bigint[])
  AND (held.slot IS NOT NULL OR held.completed_at IS NULL OR EXISTS (
      SELECT 1 FROM annotation_vote vote
      WHERE vote.assignment_id = held.id AND vote.retracted_at IS NULL
        AND vote.exclusion_id IS NULL
  ))
"""


def file_held(
    annotator_ids: list[int], public_id: uuid.UUID, position: int, width: int = FULL
) -> str | None:
    """Return the name of the file at a position of an assignment, if one of these has it.

    `width`: of a smaller copy, in pixels; None where its campaign has none of that width. A slot
    that was skipped, given back or excluded is nobody's. A check stays the annotator's row then,
    and is kept from them here: it must not be known by its images still being there.
    """
    row = _one(_FILE, [position + 1, public_id, annotator_ids])
    if row is None or not (width == FULL or width in row[1]):
        return None
    return name_at(str(row[0]), width)


# ---- votes --------------------------------------------------------------------------------------

_ASKED = Columns(
    Assignment, "asked", "purpose", "item", "order", "annotator", "completed_at", "public_id",
)  # fmt: skip
_LOCK_ASSIGNMENT = f"""
SELECT {_ASKED.sql}, criterion.form, criterion.heads, known.annotator_id, known.assignment_id
FROM annotation_assignment asked
JOIN campaigns_campaign campaign ON campaign.id = asked.campaign_id
JOIN campaigns_item item ON item.id = asked.item_id
JOIN campaigns_criterion criterion ON criterion.id = item.criterion_id
LEFT JOIN annotation_vote known ON known.idempotency_key = %s
WHERE asked.public_id = %s AND {{}}
FOR UPDATE OF asked
"""
_LOCK_OF_CAMPAIGN = _LOCK_ASSIGNMENT.format("asked.campaign_id = %s")
_LOCK_OF_INVITATION = _LOCK_ASSIGNMENT.format("campaign.invitation = %s")

_STORE_VOTE = """
WITH stored AS (
    INSERT INTO annotation_vote (
        assignment_id, annotator_id, form, answer, marks, "order", grades, response_time_ms,
        idempotency_key, viewport_width, viewport_height, pixel_ratio, zoomed, is_simulated,
        voted_at, shown_px, language
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    RETURNING id, assignment_id, annotator_id, voted_at
), answered AS (
    UPDATE annotation_assignment slot
    SET completed_at = stored.voted_at,
        annotator_id = stored.annotator_id,
        leased_at = coalesce(slot.leased_at, stored.voted_at),
        lease_expires_at = coalesce(slot.lease_expires_at, stored.voted_at + interval '1 ms')
    FROM stored WHERE slot.id = stored.assignment_id
)
UPDATE annotation_enrolment mine SET judged = mine.judged + 1, last_vote_id = stored.id
FROM stored WHERE mine.id = %s
RETURNING stored.id, mine.judged
"""


def lock_both(
    enrolment: Enrolment, public_id: uuid.UUID, key: uuid.UUID | None
) -> tuple[Enrolment, Assignment | None, tuple[int, int] | None]:
    """Lock an enrolment's row, then an assignment's; return both, and whose vote has this key.

    The latter as (annotator, assignment), None where the key is new. The `form` and `heads` of the
    assignment's criterion come with it as attributes; None where the campaign has no such
    assignment. Raises `Enrolment.DoesNotExist` as `lock_enrolment` does.
    """
    if enrolment.pk is None:
        asked = _LOCK_OF_INVITATION, [key, public_id, enrolment.campaign.invitation]
    else:
        asked = _LOCK_OF_CAMPAIGN, [key, public_id, enrolment.campaign_id]
    mine, found = ask_together(_lock(enrolment), asked)
    locked = _locked(mine)
    if not found:
        return locked, None, None
    (row,) = found
    assignment, end = _ASKED.read(row, 0)
    assert assignment
    assignment.form, assignment.heads = row[end], row[end + 1]
    known = (row[end + 2], row[end + 3])
    return locked, assignment, None if known[0] is None else known


def store_vote(enrolment: Enrolment, vote: Vote) -> None:
    """Insert the vote, complete its assignment and move the enrolment on; set `vote.pk`.

    A slot that was free (a late vote) becomes the voter's.
    """
    row = _one(
        _STORE_VOTE,
        [
            vote.assignment_id, vote.annotator_id, vote.form, vote.answer, vote.marks, vote.order,
            vote.grades, vote.response_time_ms, vote.idempotency_key, vote.viewport_width,
            vote.viewport_height, vote.pixel_ratio, vote.zoomed, vote.is_simulated,
            vote.voted_at, vote.shown_px, vote.language, enrolment.pk,
        ],
    )  # fmt: skip
    assert row is not None  # the enrolment is locked, hence there
    vote.pk, enrolment.judged = row
    enrolment.last_vote = vote


def _one(statement: str, values: Sequence[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def _all(statement: str, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
