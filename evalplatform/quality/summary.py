"""What a report says of the quality of a campaign's votes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, Q

from evalplatform.annotation.answer_columns import (
    MAIN,
    UNKNOWN_MS,
    UNKNOWN_PX,
    UNKNOWN_ZOOM,
    AnswerColumns,
)
from evalplatform.annotation.models import Assignment, Exclusion, Release, SurplusVote, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.core.integer_columns import Array
from evalplatform.quality.measures import (
    AnnotatorFacts,
    AnnotatorMeasures,
    IsRight,
    Share,
    measures_from,
)
from evalplatform.quality.selectors import annotator_facts, of_pairs, rightness

NARROW = 600  # CSS pixels: below, two images hardly fit side by side
OFTEN = 2  # skips of one item for a reason that lies with its images
_IMAGE_REASONS = (Release.Reason.BROKEN_IMAGE, Release.Reason.UNSAFE)
_NOT_SKIPS = (
    Release.Reason.EXCLUDED,
    Release.Reason.LATE_ANSWER,
    Release.Reason.OWN_WORK,
)
_MAIN = Q(assignment__purpose=Assignment.Purpose.MAIN)
_COUNTS = _MAIN & Q(retracted_at__isnull=True, exclusion__isnull=True)


@dataclass(frozen=True)
class ExclusionLine:
    """One exclusion and what became of the votes it took out."""

    pseudonym: str
    is_simulated: bool
    rule: str
    detail: str
    decided_at: datetime
    revoked_at: datetime | None
    votes: int  # votes on items that do not count by it
    replaced: int  # of them: somebody else has judged in the same slot

    @property
    def still_open(self) -> int:
        return self.votes - self.replaced


@dataclass(frozen=True)
class SkippedItem:
    """An item whose images several annotators would not judge."""

    position: int
    criterion: str
    prompt: str
    broken_image: int
    unsafe: int


@dataclass(frozen=True)
class RawTies:
    """What stands behind the ties of a criterion with both and neither."""

    criterion: str
    both: int
    neither: int


@dataclass(frozen=True)
class QualitySummary:
    """The quality of a campaign's votes; vote shares are of votes that count."""

    annotators: list[AnnotatorMeasures]
    items_complete: int  # those with exactly k votes that count
    items_short: int
    excluded_votes: int
    exclusions: list[ExclusionLine]
    surplus: dict[str, int]  # by reason
    skips: dict[str, int]  # by reason
    skipped_often: list[SkippedItem]
    undone: int
    too_fast: Share  # of votes whose time is known
    min_response_ms: int
    narrow: Share  # of votes whose viewport is known: narrower than NARROW
    zoomed: Share  # of votes for which it is known
    raw_ties: list[RawTies]

    @cached_property
    def gold(self) -> Share:
        """Gold right, of annotators whose votes count."""
        return _sum(each.gold for each in self._counting)

    @cached_property
    def repeats(self) -> Share:
        """Repeats answered as before, of annotators whose votes count."""
        return _sum(each.repeats for each in self._counting)

    @cached_property
    def gold_of_all(self) -> Share:
        return _sum(each.gold for each in self.annotators)

    @cached_property
    def repeats_of_all(self) -> Share:
        return _sum(each.repeats for each in self.annotators)

    @property
    def _counting(self) -> list[AnnotatorMeasures]:
        return [each for each in self.annotators if not each.excluded_by]

    @property
    def has_checks(self) -> bool:
        """Whether anybody answered gold or a repeat, before the first item or later."""
        return any(
            each.gold.total or each.repeats.total or each.qualification.total
            for each in self.annotators
        )

    @property
    def simulated_answers(self) -> int:
        """Answers, checks and excluded votes among them, that simulated annotators gave."""
        return sum(each.answers for each in self.annotators if each.is_simulated)


@dataclass(frozen=True)
class QualityFacts:
    """What a summary needs beside the answers themselves; figures as in `QualitySummary`."""

    people: list[AnnotatorFacts]
    is_right: IsRight
    items: int
    exclusions: list[ExclusionLine]
    surplus: dict[str, int]
    skips: dict[str, int]
    skipped_often: list[SkippedItem]
    raw_ties: list[RawTies]
    undone: int


def summary_of(campaign: Campaign, answers: AnswerColumns, facts: QualityFacts) -> QualitySummary:
    """Return the quality of these answers; nothing is read."""
    votes = answers.where(answers.purpose == MAIN)
    counting = votes.counting()
    complete = _complete_items(campaign, counting)
    least = campaign.checked_rules.quality.min_response_ms
    return QualitySummary(
        annotators=measures_from(
            answers,
            facts.people,
            min_response_ms=least,
            is_right=facts.is_right,
            pairs=of_pairs(campaign, answers),
        ),
        items_complete=complete,
        items_short=facts.items - complete,
        exclusions=facts.exclusions,
        excluded_votes=len(votes) - len(counting),
        surplus=facts.surplus,
        skips=facts.skips,
        skipped_often=facts.skipped_often,
        undone=facts.undone,
        too_fast=_share(counting.response_ms, UNKNOWN_MS, counting.response_ms < least),
        min_response_ms=least,
        narrow=_share(counting.viewport_px, UNKNOWN_PX, counting.viewport_px < NARROW),
        zoomed=_share(counting.zoomed, UNKNOWN_ZOOM, counting.zoomed == 1),
        raw_ties=facts.raw_ties,
    )


def quality_facts(campaign: Campaign) -> QualityFacts:
    """Read what a summary needs beside the answers."""
    return QualityFacts(
        people=annotator_facts(campaign),
        is_right=rightness(campaign),
        items=campaign.items.main().count(),
        exclusions=_exclusions(campaign),
        surplus=_by_reason(SurplusVote.objects.filter(assignment__campaign=campaign)),
        skips=_by_reason(
            Release.objects.filter(assignment__campaign=campaign).exclude(reason__in=_NOT_SKIPS)
        ),
        skipped_often=_skipped_often(campaign),
        raw_ties=_raw_ties(campaign),
        undone=Vote.objects.filter(
            assignment__campaign=campaign, retracted_at__isnull=False
        ).count(),
    )


def _share(column: Array, unknown: int, is_hit: npt.NDArray[np.bool_]) -> Share:
    is_known = column != unknown
    return Share(int((is_hit & is_known).sum()), int(is_known.sum()))


def _complete_items(campaign: Campaign, counting: AnswerColumns) -> int:
    """Return how many items have their k votes, of these that count."""
    wanted = {each.pk: each.k for each in campaign.criteria.all()}
    _, first, votes = np.unique(counting.item, return_index=True, return_counts=True)
    k = np.array([wanted[each] for each in counting.criterion[first].tolist()], dtype=np.int64)
    return int((votes == k).sum())


def _exclusions(campaign: Campaign) -> list[ExclusionLine]:
    """Return every exclusion, those taken back too, in the order decided."""

    main = Q(votes__assignment__purpose=Assignment.Purpose.MAIN, votes__retracted_at__isnull=True)
    replaced = main & Q(votes__assignment__completed_at__isnull=False)
    exclusions = (
        Exclusion.objects.filter(enrolment__campaign=campaign)
        .select_related("enrolment__annotator")
        .annotate(affected=Count("votes", filter=main), again=Count("votes", filter=replaced))
        .order_by("pk")
    )
    return [
        ExclusionLine(
            pseudonym=each.enrolment.annotator.pseudonym,
            is_simulated=each.enrolment.annotator.is_simulated,
            rule=each.rule,
            detail=each.detail,
            decided_at=each.decided_at,
            revoked_at=each.revoked_at,
            votes=each.affected,
            replaced=each.again,
        )
        for each in exclusions
    ]


def _by_reason(rows: Any) -> dict[str, int]:
    return dict(rows.order_by("reason").values_list("reason").annotate(count=Count("pk")))


def skips_counted(reasons: Iterable[str]) -> dict[str, int]:
    """Count why annotators gave slots back: their own reasons, not those of the platform."""
    counted = Counter(each for each in reasons if each not in _NOT_SKIPS)
    return dict(sorted(counted.items()))


def _skipped_often(campaign: Campaign) -> list[SkippedItem]:
    counts = {reason: Count("releases", filter=Q(releases__reason=reason))
              for reason in _IMAGE_REASONS}  # fmt: skip
    often = (
        campaign.items.filter(releases__reason__in=_IMAGE_REASONS)
        .annotate(broken=counts[Release.Reason.BROKEN_IMAGE], unsafe=counts[Release.Reason.UNSAFE])
        .annotate(skips=F("broken") + F("unsafe"))
        .filter(skips__gte=OFTEN)
        .select_related("criterion", "image_set")
        .order_by("position")
    )
    return [
        SkippedItem(
            position=each.position or 0,
            criterion=each.criterion.label,
            prompt=each.image_set.prompt_text,
            broken_image=each.broken,
            unsafe=each.unsafe,
        )
        for each in often
    ]


def _raw_ties(campaign: Campaign) -> list[RawTies]:
    asked = list(campaign.criteria.filter(form="pair_both_neither"))
    if not asked:
        return []
    counted = (
        Vote.objects.filter(_COUNTS, assignment__campaign=campaign)
        .values_list("assignment__item__criterion", "answer")
        .annotate(count=Count("pk"))
    )
    by_answer = Counter({(criterion, answer): count for criterion, answer, count in counted})
    return [
        RawTies(
            criterion=criterion.label,
            both=by_answer[criterion.pk, "both"],
            neither=by_answer[criterion.pk, "neither"],
        )
        for criterion in asked
    ]


def _sum(shares: Iterable[Share]) -> Share:
    listed = list(shares)
    return Share(sum(each.hits for each in listed), sum(each.total for each in listed))
