"""Answers as the statistics take them: of two arms, of many, or of one image alone."""

from __future__ import annotations

from evalplatform.annotation.answer_columns import AnswerColumns
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.stats import Votes


def is_duel(campaign: Campaign, criterion: Criterion) -> bool:
    """Whether it asks for a pair of just two arms: win, tie and lose of the first."""
    return campaign.is_duel and criterion.shape.most == 2


def pair_votes(votes: AnswerColumns) -> Votes:
    """Return votes on pairs of two arms, arm A at place 0 of each set.

    Raises `stats.EmptyVotesError` without a vote.
    """
    return Votes(votes.said, votes.prompt, votes.annotator, votes.item)


def of_criterion(votes: AnswerColumns, criterion: Criterion) -> AnswerColumns:
    """Return the votes on one criterion."""
    return votes.where(votes.criterion == criterion.pk)


def pseudonyms(campaign: Campaign) -> dict[int, str]:
    """The pseudonym of everybody who took part, by id."""
    enrolled = campaign.enrolments.values_list("annotator_id", "annotator__pseudonym")
    return dict(enrolled)
