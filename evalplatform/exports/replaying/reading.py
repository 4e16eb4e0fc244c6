"""A campaign as an export's files tell it: models that were never stored, and columns of answers.

Nothing here touches a database.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from evalplatform.annotation.answer_columns import (
    GOLD,
    LEFT,
    MAIN,
    NO_SIDE,
    QUALIFICATION,
    REPEAT,
    RIGHT,
    UNKNOWN_MS,
    UNKNOWN_PX,
    UNKNOWN_ZOOM,
    AnswerColumns,
    packed_grades,
    packed_language,
    packed_order,
)
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.campaigns.models import Arm, Campaign, Criterion, Withheld
from evalplatform.campaigns.safety import FilterCounts, patterns_of
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.exports.replaying.files import Files
from evalplatform.exports.replaying.quality import quality_of
from evalplatform.exports.replaying.votes import Record
from evalplatform.generation.models import Sample
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.quality.rings import ItemInWords, Taker
from evalplatform.reports.facts import CampaignFacts
from evalplatform.reports.planned_votes import PlannedVotes
from evalplatform.reports.prompts import PromptFacts, Prompts
from evalplatform.reports.safety import SafetySummary, summary_of_filter
from evalplatform.reports.selectors import Completeness
from evalplatform.safety.models import SafetyDetector

_PURPOSES = {"repeat": REPEAT, "gold": GOLD, "qualification": QUALIFICATION}
_SIDES = {"left": LEFT, "right": RIGHT}


def campaign_of(files: Files) -> Campaign:
    """Return the campaign and what belongs to it, as models that are nowhere stored."""
    told = files.campaign
    kept = (
        "slug", "status", "design", "images_per_prompt", "rules", "imported_from",
        "protocol_sha256", "sets_left_out",
    )  # fmt: skip
    protocol = files.whole("protocol.json")
    campaign = Campaign(pk=1, protocol=protocol, **{name: told[name] for name in kept})
    campaign.contenders = [_arm(campaign, each) for each in told["arms"]]
    criteria = Criterion.objects.none()
    criteria._result_cache = [Criterion(campaign=campaign, **each) for each in told["criteria"]]
    vars(campaign)["_prefetched_objects_cache"] = {"criteria": criteria}
    return campaign


def _arm(campaign: Campaign, told: Record) -> Arm:
    arm = Arm(campaign=campaign, place=told["place"])
    if told["kind"] == "checkpoint":
        arm.checkpoint = Checkpoint(name=told["name"], sha256=told["sha256"])
    elif told["kind"] == "collection":
        arm.collection = ImageCollection(name=told["name"], sha256=told["sha256"])
    else:
        arm.model = told["name"]
    return arm


def facts_of(files: Files, campaign: Campaign) -> CampaignFacts:
    """Return all that the results are computed of."""
    told, prompts = files.campaign, files.lines("prompts")
    people = {
        each["annotator"]: Taker(each["pseudonym"], each["is_simulated"]) for each in told["people"]
    }
    late = sum(each["event"] == "late" for each in files.events)
    counting = sum(each["counts"] for each in files.votes)
    return CampaignFacts(
        answers=_answers(files, campaign),
        prompts=Prompts.of(_prompt(each) for each in prompts),
        arms=_arms(files),
        people=people,
        simulated_as=sorted({each["says"] for each in told["people"] if each["says"] is not None}),
        completeness=Completeness(told["items"], told["votes_wanted"], counting, late, None),
        quality=quality_of(files, campaign),
        safety=_safety(campaign, told["safety"]),
        item_in_words=_words(files, campaign),
        planned=partial(_planned, files),
    )


def _prompt(told: Record) -> PromptFacts:
    facts = {name: value for name, value in told.items() if name != "text"}
    return PromptFacts(**facts | {"tags": tuple(told["tags"])})


def _arms(files: Files) -> ArmColumns:
    shown = files.lines("sets")
    columns = [
        np.array([each[name] for each in shown], dtype=np.int64)
        for name in ("image_set", "place", "arm")
    ]
    return ArmColumns(*columns)


def _answers(files: Files, campaign: Campaign) -> AnswerColumns:
    """Votes and checks as columns, in the order in which they were stored."""
    rows = [each | {"purpose": "main"} for each in files.votes]
    checks = [each | {"order": ()} for each in files.checks]  # no figure asks where theirs stood
    rows += [each | {"counts": each["excluded_by"] is None} for each in checks]
    rows.sort(key=lambda each: each["vote_id"])
    criteria = {each.slug: each.pk for each in campaign.criteria.all()}
    knows_sides = campaign.knows_sides

    def column(make: Any) -> np.ndarray:
        return np.array([make(each) for each in rows], dtype=np.int64)

    return AnswerColumns(
        vote=column(lambda row: row["vote_id"]),
        item=column(lambda row: row["item"]),
        criterion=column(lambda row: criteria[row["criterion"]]),
        image_set=column(lambda row: row["image_set"]),
        prompt=column(lambda row: row["prompt_id"] or 0),
        annotator=column(lambda row: files.number_of[row["annotator"]]),
        exclusion=column(lambda row: not row["counts"]),
        purpose=column(lambda row: _PURPOSES.get(row["purpose"], MAIN)),
        said=column(lambda row: packed_grades(row["grades"])),
        side=column(lambda row: _SIDES.get(row["answer"], NO_SIDE) if knows_sides else NO_SIDE),
        order=column(lambda row: packed_order(row["order"])),
        response_ms=column(lambda row: _known(row["response_time_ms"], UNKNOWN_MS)),
        is_simulated=column(lambda row: row["is_simulated"]),
        shown_px=column(lambda row: _known(row.get("shown_px"), UNKNOWN_PX)),
        viewport_px=column(lambda row: _known(row.get("viewport_width"), UNKNOWN_PX)),
        zoomed=column(lambda row: _known(row.get("zoomed"), UNKNOWN_ZOOM)),
        language=column(lambda row: packed_language(row.get("language") or "")),
    )


def _known(value: int | None, unknown: int) -> int:
    return unknown if value is None else value


def _planned(files: Files, criterion: Criterion) -> PlannedVotes:
    asked = [each for each in files.items if each["criterion"] == criterion.slug]
    image_set, prompt = (
        np.array([each[name] for each in asked], dtype=np.int64)
        for name in ("image_set", "prompt_id")
    )
    return PlannedVotes(image_set, prompt, criterion.k)


def _words(files: Files, campaign: Campaign) -> Any:
    labels = {each.slug: each.label for each in campaign.criteria.all()}
    prompts = {each["id"]: each for each in files.lines("prompts")}
    items = {each["item"]: each for each in files.items}

    def words(key: int) -> ItemInWords:
        item = items[key]
        text = prompts[item["prompt_id"]]["text"] if item["prompt_id"] in prompts else ""
        return ItemInWords(item["position"], labels[item["criterion"]], text)

    return words


def _safety(campaign: Campaign, told: Record | None) -> SafetySummary | None:
    if told is None:
        return None
    withheld = [_withheld(campaign, each) for each in told["withheld"]]
    counts = FilterCounts(
        prompts=told["prompts"],
        patterns=patterns_of(withheld),
        sets=told["sets"],
        dropped=campaign.sets_left_out,
        letters=tuple(arm.letter for arm in campaign.contenders),
    )
    detector = SafetyDetector(**told["detector"])
    return summary_of_filter(campaign, detector, told["threshold"], counts, withheld)


def _withheld(campaign: Campaign, told: Record) -> Withheld:
    of = PromptSet(
        pk=told["prompt_set_id"], name=told["prompt_set"], version=told["prompt_set_version"]
    )
    prompt = Prompt(
        pk=told["prompt_id"],
        prompt_set=of,
        text=told["prompt_text"],
        position=told["prompt_position"],
    )
    return Withheld(
        campaign=campaign,
        arm=campaign.contenders[told["arm"]],
        sample=Sample(prompt=prompt),
        number=told["number"],
        score=told["score"],
    )
