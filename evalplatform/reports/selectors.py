"""Reading the votes of a campaign as columns."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.stats import Votes

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
}


@dataclass(frozen=True)
class VoteTable:
    """The votes that count, one row each, as named columns of equal length."""

    columns: dict[str, list[object]]

    def __len__(self) -> int:
        return len(self.columns["vote_id"])

    def rows(self, names: list[str]) -> list[tuple[object, ...]]:
        return list(zip(*(self.columns[name] for name in names), strict=True))

    def where(self, keep: Callable[[dict[str, object]], bool]) -> "VoteTable":
        """Return the rows for which `keep` is true."""
        names = list(self.columns)
        kept = [row for row in self.rows(names) if keep(dict(zip(names, row, strict=True)))]
        return VoteTable({name: [row[index] for row in kept] for index, name in enumerate(names)})

    def as_stats(self) -> Votes:
        """Return the columns that statistics read."""
        return Votes.from_columns(
            outcome=self.columns["outcome"],
            prompt=np.asarray(self.columns["prompt"], dtype=np.int64),
            annotator=[str(each) for each in self.columns["annotator"]],
            item=np.asarray(self.columns["comparison"], dtype=np.int64),
        )


def vote_table(campaign: Campaign) -> VoteTable:
    """Return every vote of the campaign that counts, in the order cast."""
    votes = (
        Vote.objects.filter(assignment__campaign=campaign, retracted_at__isnull=True)
        .order_by("pk")
        .values_list(*_FIELDS.values())
    )
    columns: dict[str, list[object]] = {name: [] for name in _FIELDS}
    for row in votes:
        for name, value in zip(_FIELDS, row, strict=True):
            columns[name].append(value)
    return VoteTable(columns)


@dataclass(frozen=True)
class Completeness:
    """How far a campaign has come, and what came too late."""

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
    slots = Assignment.objects.filter(campaign=campaign)
    last = slots.completed().order_by("-completed_at").first()
    return Completeness(
        comparisons=campaign.comparisons.count(),
        votes_wanted=slots.count(),
        votes=slots.completed().count(),
        surplus_votes=SurplusVote.objects.filter(assignment__campaign=campaign).count(),
        last_vote_at=last.completed_at if last else None,
    )


@dataclass(frozen=True)
class CampaignSummary:
    """One line of the list of campaigns."""

    campaign: Campaign
    completeness: Completeness
    has_simulated_votes: bool


def campaign_summaries() -> list[CampaignSummary]:
    """Return every campaign, newest first."""
    campaigns = Campaign.objects.select_related("checkpoint_a", "checkpoint_b")
    return [
        CampaignSummary(
            campaign=campaign,
            completeness=completeness_of(campaign),
            has_simulated_votes=Vote.objects.filter(
                assignment__campaign=campaign, is_simulated=True
            ).exists(),
        )
        for campaign in campaigns
    ]
