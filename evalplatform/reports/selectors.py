"""Reading what reports show, row by row. `vote_columns` reads what statistics need."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.campaigns.models import Campaign

_FIELDS = {
    "vote_id": "pk",
    "comparison": "assignment__comparison_id",
    "criterion": "assignment__comparison__criterion__kind",
    "prompt": "assignment__comparison__prompt_id",
    "prompt_set": "assignment__comparison__prompt__prompt_set__name",
    "prompt_set_version": "assignment__comparison__prompt__prompt_set__version",
    "prompt_text": "assignment__comparison__prompt__text",
    "category": "assignment__comparison__prompt__category",
    "challenge": "assignment__comparison__prompt__challenge",
    "tags": "assignment__comparison__prompt__tags",
    "slot": "assignment__slot",
    "annotator": "annotator__pseudonym",
    "outcome": "outcome",
    "choice": "choice",
    "a_on_left": "a_on_left",
    "response_time_ms": "response_time_ms",
    "is_simulated": "is_simulated",
    "voted_at": "voted_at",
    "seed": "assignment__comparison__sample_a__seed",
    "sample_a_sha256": "assignment__comparison__sample_a__image_sha256",
    "sample_b_sha256": "assignment__comparison__sample_b__image_sha256",
    "excluded_by": "exclusion__rule",
    "viewport_width": "viewport_width",
    "viewport_height": "viewport_height",
    "pixel_ratio": "pixel_ratio",
    "zoomed": "zoomed",
    "prompt_position": "assignment__comparison__prompt__position",
    **{
        f"{name}_{side}": f"assignment__comparison__sample_{side}__{name}"
        for side in ("a", "b")
        for name in ("prompt_tokens", "tokens_read")
    },
    "simulated_as": "annotator__simulated_behaviour__says",
}


VOTE_FIELDS = tuple(_FIELDS)


def vote_rows(campaign: Campaign) -> Iterator[tuple[object, ...]]:
    """Yield every vote stored on a campaign's comparisons, `VOTE_FIELDS` each, in the order cast.

    Excluded votes are among them; checks and undone votes are not. Rows come by a cursor of the
    database, so memory stays flat.
    """
    return (
        Vote.objects.filter(
            assignment__campaign=campaign,
            assignment__purpose=Assignment.Purpose.MAIN,
            retracted_at__isnull=True,
        )
        .order_by("pk")
        .values_list(*_FIELDS.values())
        .iterator(chunk_size=5000)
    )


_CHECK_FIELDS = {
    "vote_id": "pk",
    "purpose": "assignment__purpose",
    "annotator_id": "annotator",
    "annotator": "annotator__pseudonym",
    "comparison": "assignment__comparison_id",
    "gold_criterion": "assignment__gold__criterion__kind",
    "comparison_criterion": "assignment__comparison__criterion__kind",
    "gold_prompt": "assignment__gold__prompt_text",
    "comparison_prompt": "assignment__comparison__prompt__text",
    "gold_position": "assignment__gold__position",
    "gold_origin": "assignment__gold__origin__kind",
    "outcome": "outcome",
    "choice": "choice",
    "a_on_left": "a_on_left",
    "response_time_ms": "response_time_ms",
    "is_simulated": "is_simulated",
    "voted_at": "voted_at",
    "excluded_by": "exclusion__rule",
    "simulated_as": "annotator__simulated_behaviour__says",
}


def check_answers(campaign: Campaign) -> list[dict[str, object]]:
    """Return the answers to gold pairs and repeats, in the order given, one record each.

    `first_outcome` is what the annotator said of a repeated pair before; None where that vote was
    taken back, and for gold.
    """
    stored = Vote.objects.filter(assignment__campaign=campaign, retracted_at__isnull=True)
    main = stored.filter(assignment__purpose=Assignment.Purpose.MAIN)
    repeated = Assignment.objects.filter(campaign=campaign, purpose=Assignment.Purpose.REPEAT)
    before = {
        (annotator, comparison): outcome
        for annotator, comparison, outcome in main.filter(
            assignment__comparison__in=repeated.values("comparison")
        ).values_list("annotator", "assignment__comparison", "outcome")
    }
    checks = stored.exclude(assignment__purpose=Assignment.Purpose.MAIN).order_by("pk")
    records = [
        dict(zip(_CHECK_FIELDS, row, strict=True))
        for row in checks.values_list(*_CHECK_FIELDS.values())
    ]
    for record in records:
        record["first_outcome"] = before.get((record["annotator_id"], record["comparison"]))
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

    comparisons: int
    votes_wanted: int
    votes: int
    surplus_votes: int
    last_vote_at: datetime | None

    @property
    def is_complete(self) -> bool:
        return self.votes == self.votes_wanted


def completeness_of(campaign: Campaign) -> Completeness:
    """Return how many of a campaign's slots have their vote."""
    return _completeness([campaign])[campaign.pk]


def _completeness(campaigns: Iterable[Campaign]) -> dict[int, Completeness]:
    """Return each campaign's completeness by its id, in two queries for all."""
    listed = list(campaigns)
    slots = {
        campaign: counts
        for campaign, *counts in Assignment.objects.main()
        .filter(campaign__in=listed)
        .values_list("campaign")
        .annotate(wanted=Count("pk"), judged=Count("completed_at"), last=Max("completed_at"))
    }
    late = dict(
        SurplusVote.objects.filter(assignment__campaign__in=listed)
        .values_list("assignment__campaign")
        .annotate(count=Count("pk"))
    )
    result = {}
    for campaign in listed:
        wanted, votes, last = slots.get(campaign.pk, (0, 0, None))
        result[campaign.pk] = Completeness(
            comparisons=campaign.comparison_count,
            votes_wanted=wanted,
            votes=votes,
            surplus_votes=late.get(campaign.pk, 0),
            last_vote_at=last,
        )
    return result


@dataclass(frozen=True)
class CampaignSummary:
    """One line of the list of campaigns."""

    campaign: Campaign
    completeness: Completeness
    has_simulated_votes: bool


def campaign_summaries() -> list[CampaignSummary]:
    """Return every campaign, newest first: four queries, however many there are."""
    campaigns = list(Campaign.objects.select_related("checkpoint_a", "checkpoint_b"))
    completeness = _completeness(campaigns)
    simulated = set(
        Vote.objects.filter(is_simulated=True).values_list("assignment__campaign").distinct()
    )
    return [
        CampaignSummary(
            campaign=campaign,
            completeness=completeness[campaign.pk],
            has_simulated_votes=(campaign.pk,) in simulated,
        )
        for campaign in campaigns
    ]
