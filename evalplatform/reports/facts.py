"""What results are computed of, apart from how: out of the database, or out of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from evalplatform.annotation.answer_columns import AnswerColumns, answer_columns
from evalplatform.annotation.arm_columns import ArmColumns
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.quality.rings import ItemInWords, Taker, item_in_words, takers
from evalplatform.quality.summary import QualityFacts, quality_facts
from evalplatform.reports.planned_votes import PlannedVotes, planned_votes
from evalplatform.reports.prompts import Prompts
from evalplatform.reports.safety import SafetySummary, safety_summary
from evalplatform.reports.selectors import Completeness, completeness_of, simulated_as


@dataclass(frozen=True)
class CampaignFacts:
    """Everything that `campaign_results` needs of a campaign beside its protocol."""

    answers: AnswerColumns
    prompts: Prompts
    arms: ArmColumns
    people: dict[int, Taker]  # by the annotator's id
    simulated_as: list[str]
    completeness: Completeness
    quality: QualityFacts
    safety: SafetySummary | None
    item_in_words: Callable[[int], ItemInWords]
    planned: Callable[[Criterion], PlannedVotes | None]

    @cached_property
    def pseudonyms(self) -> dict[int, str]:
        """Everybody's by id."""
        return {key: each.pseudonym for key, each in self.people.items()}


def read_facts(campaign: Campaign) -> CampaignFacts:
    """Read them as they stand."""
    return CampaignFacts(
        answers=answer_columns(campaign),
        prompts=Prompts(campaign),
        arms=ArmColumns.of(campaign),
        people=takers(campaign),
        simulated_as=simulated_as([campaign]),
        completeness=completeness_of(campaign),
        quality=quality_facts(campaign),
        safety=safety_summary(campaign),
        item_in_words=item_in_words,
        planned=partial(planned_votes, campaign),
    )
