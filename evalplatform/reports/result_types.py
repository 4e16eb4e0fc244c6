"""What a campaign's results hold, as every report reads it."""

from dataclasses import dataclass
from datetime import datetime

from evalplatform import stats
from evalplatform.campaigns.models import Campaign
from evalplatform.quality.rings import RingReport
from evalplatform.quality.summary import QualitySummary
from evalplatform.reports.conditions import ShownSizes
from evalplatform.reports.consensus import CriterionConsensus
from evalplatform.reports.criteria_beside import CriteriaPair
from evalplatform.reports.gallery import GalleryResult, GradeResult
from evalplatform.reports.languages import LanguageResult, LanguageVotes
from evalplatform.reports.other_votes import OtherVotes
from evalplatform.reports.safety import SafetySummary
from evalplatform.reports.selectors import Completeness


@dataclass(frozen=True)
class GroupResult:
    """One criterion on one set of prompts: at vote level and at verdict level."""

    criterion: str
    criterion_label: str
    prompts: str
    depth: int  # 0 holds all prompts; a deeper group is part of the last shallower one before it
    k: int
    rates: stats.WinRates
    prompt_means: stats.WinRates  # each prompt once, however many votes it has
    verdicts: stats.Verdicts
    test: stats.SignTest
    agreement: stats.Agreement


@dataclass(frozen=True)
class CategoryResult:
    """One criterion on one category or challenge; all of a criterion are one family of tests."""

    criterion: str
    criterion_label: str
    test: stats.GroupTest


@dataclass(frozen=True)
class CriterionLook:
    """One criterion while votes are still coming in, as it may be looked at any time."""

    criterion: str
    criterion_label: str
    look: stats.EarlyLook


@dataclass(frozen=True)
class CriterionOrder:
    """One criterion in the first and in the second half of each annotator's votes."""

    criterion: str
    criterion_label: str
    effect: stats.OrderEffect


@dataclass(frozen=True)
class CampaignResults:
    """Everything a report says; groups are empty until there is a vote that counts."""

    campaign: Campaign
    n_stored: int  # votes on items, excluded ones among them
    n_stored_simulated: int
    simulated_as: list[str]  # what the simulated annotators say of themselves
    completeness: Completeness
    quality: QualitySummary
    safety: SafetySummary | None  # None without a safety filter
    n_annotators: int
    n_votes: int  # that count, whatever form they have
    n_simulated_votes: int  # of them
    groups: list[GroupResult]  # of pairs of just two arms
    galleries: list[GalleryResult]  # of pairs and rankings of more
    gradings: list[GradeResult]  # of single images
    with_excluded: list[OtherVotes]  # empty while no vote is excluded
    rings: RingReport  # accounts that answer alike by agreement, of votes that count
    without_rings: list[OtherVotes]  # empty without a ring
    categories: list[CategoryResult]
    criteria_beside: list[CriteriaPair]  # of pairs of just two arms; every two criteria
    languages: list[LanguageVotes]  # in which the question was read; the most first
    by_language: list[LanguageResult]  # of pairs of just two arms; empty where all read one
    early_looks: list[CriterionLook]  # empty once every vote is in
    profiles: dict[str, stats.AnnotatorProfile]  # by pseudonym, of votes that count
    side_bias: stats.SideBias | None
    consensus: list[CriterionConsensus]  # of pairs and rankings
    order_effects: list[CriterionOrder]  # of pairs of just two arms; empty for imported votes
    median_response_ms: float | None
    shown_sizes: ShownSizes | None  # None where no vote says
    code_version: str
    made_at: datetime

    @property
    def n_prompts(self) -> int:
        """How many prompts have a vote that counts, under the criterion where they are most."""
        counts = (
            *(each.rates.net.n_prompts for each in self.groups),
            *(each.ranking.n_prompts for each in self.galleries),
            *(each.ratings.n_prompts for each in self.gradings),
        )
        return max((each for each in counts if each), default=0)

    @property
    def why_no_answer(self) -> str:
        """Why nothing is said of the arms, as a sentence; empty where something is."""
        if self.groups or self.galleries or self.gradings:
            return ""
        if self.n_votes:
            return "Annotators write texts here, which grade nothing."
        if self.quality.excluded_votes:
            return "No vote counts: all that were cast were excluded."
        return "No votes yet."

    @property
    def level(self) -> float:
        """The level of all intervals that a table or figure shows, in (0, 1)."""
        levels = (
            *(each.rates.level for each in self.groups[:1]),
            *(each.ranking.level for each in self.galleries[:1]),
            *(each.ratings.level for each in self.gradings[:1]),
        )
        return next(iter(levels), 0.95)

    @property
    def is_simulated(self) -> bool:
        """Whether anything reported rests on simulated answers: votes, excluded votes, checks."""
        return self.quality.simulated_answers > 0

    @property
    def simulated_stamp(self) -> str:
        """What must stand on every page, plot and export; empty when people cast every vote."""
        if not self.is_simulated:
            return ""
        simulated, total = self.n_stored_simulated, self.n_stored
        whose = f" ({'; '.join(self.simulated_as)})" if self.simulated_as else ""
        if not simulated:
            return f"SIMULATED: checks were answered by simulated annotators, not by people{whose}."
        who = "All" if simulated == total else f"{simulated:,} of {total:,}"
        what = "votes, excluded ones included," if self.quality.excluded_votes else "votes"
        return f"SIMULATED: {who} {what} were cast by simulated annotators, not by people{whose}."

    @property
    def imported_stamp(self) -> str:
        """What must stand where votes were cast elsewhere; empty for those cast here."""
        return self.campaign.imported_note

    @property
    def short_stamp(self) -> str:
        """The same in few words, for inside a figure."""
        if not self.is_simulated:
            return "IMPORTED: votes cast elsewhere" if self.imported_stamp else ""
        simulated, total = self.n_stored_simulated, self.n_stored
        if simulated == total:
            return "SIMULATED: no vote by a person"
        return f"SIMULATED: {simulated:,} of {total:,} votes" if simulated else "SIMULATED: checks"
