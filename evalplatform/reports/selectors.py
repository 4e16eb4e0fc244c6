"""Reading what reports show, row by row. `annotation.answer_columns` reads what statistics need."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Prefetch, QuerySet

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Enrolment, SurplusVote, Vote
from evalplatform.campaigns.models import Arm, Campaign
from evalplatform.tallies.selectors import VoteCounts, vote_counts

_CHECK_FIELDS = {
    "vote_id": "pk",
    "purpose": "assignment__purpose",
    "annotator_id": "annotator",
    "annotator": "annotator__pseudonym",
    "item": "assignment__item_id",
    "image_set": "assignment__item__image_set",
    "criterion": "assignment__item__criterion__slug",
    "prompt_set": "assignment__item__image_set__prompt__prompt_set__name",
    "prompt_set_version": "assignment__item__image_set__prompt__prompt_set__version",
    "prompt_position": "assignment__item__image_set__prompt__position",
    "prompt_text": "assignment__item__image_set__prompt_text",
    "expected": "assignment__item__image_set__expected",
    "gold_position": "assignment__item__image_set__position",
    "gold_origin": "assignment__item__image_set__origin__kind",
    "form": "form",
    "answer": "answer",
    "order": "order",
    "grades": "grades",
    "response_time_ms": "response_time_ms",
    "is_simulated": "is_simulated",
    "voted_at": "voted_at",
    "excluded_by": "exclusion__rule",
    "simulated_as": "annotator__simulated_behaviour__says",
}


def check_answers(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the answers to gold and repeats, in the order given, one record each.

    `first_grades` is what the annotator said of a repeated item before; None where that vote was
    taken back, and for gold.
    """
    stored = Vote.objects.filter(assignment__campaign=campaign, retracted_at__isnull=True)
    main = stored.filter(assignment__purpose=Assignment.Purpose.MAIN)
    repeated = Assignment.objects.filter(campaign=campaign, purpose=Assignment.Purpose.REPEAT)
    before = {
        (annotator, item): grades
        for annotator, item, grades in main.filter(
            assignment__item__in=repeated.values("item")
        ).values_list("annotator", "assignment__item", "grades")
    }
    checks = stored.exclude(assignment__purpose=Assignment.Purpose.MAIN).order_by("pk")
    records = [
        dict(zip(_CHECK_FIELDS, row, strict=True))
        for row in checks.values_list(*_CHECK_FIELDS.values())
    ]
    for record in records:
        is_repeat = record["purpose"] == Assignment.Purpose.REPEAT
        record["first_grades"] = (
            before.get((record["annotator_id"], record["item"])) if is_repeat else None
        )
        if is_repeat:
            record["gold_position"] = record["gold_origin"] = None
    return records


def simulated_as(campaigns: Iterable[Campaign]) -> list[str]:
    """Return what simulated annotators of these campaigns say of themselves: whose taste, sorted.

    It is part of their stated behaviour; empty where that does not say.
    """
    sayings = Annotator.objects.filter(
        enrolments__campaign__in=list(campaigns), simulated_behaviour__says__isnull=False
    ).values_list("simulated_behaviour__says", flat=True)
    return sorted(set(sayings))


@dataclass(frozen=True)
class Completeness:
    """How far a campaign has come, and what came too late. Checks are not among these votes."""

    items: int
    votes_wanted: int
    votes: int
    surplus_votes: int
    last_vote_at: datetime | None

    @property
    def is_complete(self) -> bool:
        return self.votes == self.votes_wanted


def completeness_of(campaign: Campaign) -> Completeness:
    """Return how many of a campaign's slots have their vote."""
    counts = (
        Assignment.objects.main()
        .filter(campaign=campaign)
        .aggregate(wanted=Count("pk"), judged=Count("completed_at"), last=Max("completed_at"))
    )
    return Completeness(
        items=campaign.item_count,
        votes_wanted=counts["wanted"],
        votes=counts["judged"],
        surplus_votes=SurplusVote.objects.filter(assignment__campaign=campaign).count(),
        last_vote_at=counts["last"],
    )


@dataclass(frozen=True)
class CampaignSummary:
    """One line of the list of campaigns."""

    campaign: Campaign
    arms: list[Arm]
    completeness: VoteCounts
    has_simulated_votes: bool


def campaign_summaries(found: QuerySet[Campaign]) -> list[CampaignSummary]:
    """Return a line for each of these, newest first: four queries, however many there are."""
    arms = Prefetch("arms", Arm.objects.select_related("checkpoint"))
    campaigns = list(found.select_related("project").prefetch_related(arms))
    completeness = vote_counts(campaigns)
    simulated = with_simulated_votes(campaigns)
    return [
        CampaignSummary(
            campaign=campaign,
            arms=list(campaign.arms.all()),
            completeness=completeness[campaign.pk],
            has_simulated_votes=campaign.pk in simulated,
        )
        for campaign in campaigns
    ]


def with_simulated_votes(campaigns: Iterable[Campaign]) -> set[int]:
    """Return the ids of those in which simulated annotators have voted, votes taken back too."""
    return _voted_in(campaigns, is_simulated=True)


def with_votes_of_people(campaigns: Iterable[Campaign]) -> set[int]:
    """Return the ids of those in which people have voted, votes taken back too."""
    return _voted_in(campaigns, is_simulated=False)


def _voted_in(campaigns: Iterable[Campaign], *, is_simulated: bool) -> set[int]:
    # By who cast them: few take part in a campaign, and each has one flag for all their votes.
    voted = Vote.objects.filter(
        annotator=OuterRef("annotator"), assignment__campaign=OuterRef("campaign")
    )
    enrolled = Enrolment.objects.filter(
        campaign__in=campaigns, annotator__is_simulated=is_simulated
    )
    return set(enrolled.filter(Exists(voted)).values_list("campaign", flat=True).distinct())
