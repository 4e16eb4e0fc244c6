"""What is known of the quality of votes beside the answers, counted from an export's files."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

import numpy as np

from evalplatform.annotation.answer_columns import grades_of
from evalplatform.annotation.models import Release
from evalplatform.annotation.services.skipping import SKIP_REASONS
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.models import Campaign
from evalplatform.exports.replaying.files import Files
from evalplatform.exports.replaying.votes import Record
from evalplatform.quality.measures import AnnotatorFacts, IsRight
from evalplatform.quality.summary import (
    OFTEN,
    ExclusionLine,
    QualityFacts,
    RawTies,
    SkippedItem,
    skips_counted,
)


def quality_of(files: Files, campaign: Campaign) -> QualityFacts:
    """Return what `QualityFacts` has of a campaign in the database."""
    counting = [each for each in files.votes if each["counts"]]
    left = [each for each in files.events if each["event"] == "left"]
    late = [each for each in files.events if each["event"] == "late"]
    return QualityFacts(
        people=_people(files, left, late),
        is_right=_rightness(files),
        items=len(files.items),
        exclusions=[_exclusion(each) for each in files.lines("exclusions")],
        surplus=dict(sorted(Counter(each["reason"] for each in late).items())),
        skips=skips_counted(each["reason"] for each in left),
        skipped_often=_skipped_often(left),
        raw_ties=_raw_ties(campaign, counting),
        undone=files.campaign["undone"],
    )


def _people(files: Files, left: list[Record], late: list[Record]) -> list[AnnotatorFacts]:
    skips: dict[str, dict[str, int]] = defaultdict(dict)
    for each in left:
        if each["reason"] in SKIP_REASONS:
            mine = skips[each["annotator"]]
            mine[each["reason"]] = mine.get(each["reason"], 0) + 1
    surplus = Counter(each["annotator"] for each in late)
    names = ("annotator", "pseudonym", "is_simulated", "excluded_by", "comprehension_tries")
    return [
        AnnotatorFacts(
            **{name: each[name] for name in names},
            skips=skips[each["pseudonym"]],
            surplus=surplus[each["pseudonym"]],
        )
        for each in files.campaign["people"]
    ]


def _rightness(files: Files) -> IsRight:
    known = {
        each["item"]: (form_named(each["form"]), each["expected"])
        for each in files.checks
        if each["expected"] is not None
    }

    def is_right(item: int, said: int) -> bool:
        form, expected = known[item]
        return form.is_right(grades_of(np.array([said]), len(expected))[0].tolist(), expected)

    return is_right


def _exclusion(told: Record) -> ExclusionLine:
    revoked = told["revoked_at"]
    return ExclusionLine(
        pseudonym=told["annotator"],
        is_simulated=told["is_simulated"],
        rule=told["rule"],
        detail=told["detail"],
        decided_at=datetime.fromisoformat(told["decided_at"]),
        revoked_at=datetime.fromisoformat(revoked) if revoked else None,
        votes=len(told["votes"]),
        replaced=sum(is_refilled for _, is_refilled in told["votes"]),
    )


def _skipped_often(left: list[Record]) -> list[SkippedItem]:
    """The items whose images several people would not judge, in their order."""
    reasons: dict[int, list[str]] = defaultdict(list)
    about: dict[int, Record] = {}
    broken, unsafe = Release.Reason.BROKEN_IMAGE, Release.Reason.UNSAFE
    for each in left:
        if each["item"] is not None and each["reason"] in (broken, unsafe):
            reasons[each["item"]].append(each["reason"])
            about[each["item"]] = each
    often = [key for key, given in reasons.items() if len(given) >= OFTEN]
    # As the database sorts: gold has no position and stands last.
    often.sort(key=lambda key: (about[key]["position"] is None, about[key]["position"] or 0))
    return [
        SkippedItem(
            position=about[key]["position"] or 0,
            criterion=about[key]["criterion"],
            prompt=about[key]["prompt_text"],
            broken_image=reasons[key].count(broken),
            unsafe=reasons[key].count(unsafe),
        )
        for key in often
    ]


def _raw_ties(campaign: Campaign, counting: list[Record]) -> list[RawTies]:
    counted = Counter((each["criterion"], each["answer"]) for each in counting)
    return [
        RawTies(each.label, counted[each.slug, "both"], counted[each.slug, "neither"])
        for each in campaign.criteria.all()
        if each.form == "pair_both_neither"
    ]
