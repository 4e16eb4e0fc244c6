"""The votes of a campaign as columns of numbers, and what the numbers stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from evalplatform.campaigns.models import Campaign
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.binary_copy import Array, IntegerColumn, read_columns
from evalplatform.reports.samples import read_in_full_by_both
from evalplatform.stats import Votes

LEFT, RIGHT, NO_SIDE = 0, 1, 2
UNKNOWN_MS = -1

_VOTE = (
    IntegerColumn("vote", "v.id", "int8"),
    IntegerColumn("comparison", "a.comparison_id", "int8"),
    IntegerColumn("annotator", "v.annotator_id", "int8"),
    IntegerColumn("exclusion", "coalesce(v.exclusion_id, 0)", "int8"),
    IntegerColumn(
        "outcome", "CASE v.outcome WHEN 'A' THEN 0 WHEN 'TIE' THEN 1 WHEN 'B' THEN 2 END", "int2"
    ),
    IntegerColumn(
        "side", "CASE v.choice WHEN 'left' THEN 0 WHEN 'right' THEN 1 ELSE 2 END", "int2"
    ),
    IntegerColumn("response_ms", f"coalesce(v.response_time_ms, {UNKNOWN_MS})", "int4"),
    IntegerColumn("is_simulated", "v.is_simulated::int", "int2"),
)
_COMPARISON = (
    IntegerColumn("comparison", "c.id", "int8"),
    IntegerColumn("criterion", "c.criterion_id", "int8"),
    IntegerColumn("prompt", "c.prompt_id", "int8"),
)


@dataclass(frozen=True, eq=False)
class VoteColumns:
    """Votes, entry i of each column describing vote i, in the order cast.

    Attributes:
        vote, comparison, criterion, prompt, annotator: database ids.
        exclusion: id of the exclusion in force, 0 where the vote counts.
        outcome: 0 (A), 1 (tie), 2 (B), as `stats.Outcome`.
        side: LEFT, RIGHT or NO_SIDE, as pressed.
        response_ms: milliseconds, UNKNOWN_MS where unknown.
        is_simulated: 0 or 1.
    """

    vote: Array
    comparison: Array
    criterion: Array
    prompt: Array
    annotator: Array
    exclusion: Array
    outcome: Array
    side: Array
    response_ms: Array
    is_simulated: Array

    def __len__(self) -> int:
        return len(self.vote)

    def where(self, keep: npt.NDArray[np.bool_]) -> VoteColumns:
        """The votes for which `keep` is true."""
        return VoteColumns(*(getattr(self, each.name)[keep] for each in fields(self)))

    def counting(self) -> VoteColumns:
        """The votes that nobody excluded."""
        return self.where(self.exclusion == 0)

    def as_stats(self) -> Votes:
        """The columns that statistics read. Raises `stats.EmptyVotesError` without a vote."""
        return Votes(self.outcome, self.prompt, self.annotator, self.comparison)


def vote_columns(campaign: Campaign) -> VoteColumns:
    """Read the votes stored on a campaign's comparisons, in the order cast.

    Excluded votes are among them (`counting` leaves them out); checks and undone votes are not.
    """
    key = int(campaign.pk)
    votes = read_columns(
        _VOTE,
        "FROM annotation_vote v JOIN annotation_assignment a ON a.id = v.assignment_id"
        f" WHERE a.campaign_id = {key} AND a.purpose = 'main' AND v.retracted_at IS NULL",
    )
    order = np.argsort(votes["vote"], kind="stable")
    votes = {name: votes[name][order] for name in list(votes)}
    comparisons = read_columns(
        _COMPARISON, f"FROM campaigns_comparison c WHERE c.campaign_id = {key} ORDER BY c.id"
    )
    place = np.searchsorted(comparisons["comparison"], votes["comparison"])
    return VoteColumns(
        criterion=comparisons["criterion"][place], prompt=comparisons["prompt"][place], **votes
    )


@dataclass(frozen=True)
class PromptFacts:
    """What a report groups by."""

    prompt_set: str  # name@version
    category: str
    challenge: str
    tags: frozenset[str]
    read_in_full: bool  # by both checkpoints, as far as is known


class Prompts:
    """The prompts of a campaign by id."""

    def __init__(self, campaign: Campaign) -> None:
        rows = Prompt.objects.filter(prompt_set__campaigns=campaign).values_list(
            "pk", "prompt_set__name", "prompt_set__version", "category", "challenge", "tags"
        )
        whole = read_in_full_by_both(campaign)
        self._facts = {
            key: PromptFacts(
                f"{name}@{version}", category, challenge, frozenset(tags), key in whole
            )
            for key, name, version, category, challenge, tags in rows
        }

    def values(self, table: VoteColumns, of: Callable[[PromptFacts], str]) -> list[str]:
        """The distinct values of a fact among these votes, sorted, without the empty one."""
        found = {of(self._facts[key]) for key in np.unique(table.prompt).tolist()}
        return sorted(found - {""})

    def mask(
        self, table: VoteColumns, of: Callable[[PromptFacts], object], value: object
    ) -> npt.NDArray[np.bool_]:
        """Which votes are on a prompt whose fact has this value."""
        ids = [key for key, facts in self._facts.items() if of(facts) == value]
        return np.isin(table.prompt, np.array(ids, dtype=np.int64))

    def labels(self, table: VoteColumns, of: Callable[[PromptFacts], str]) -> list[str]:
        """The fact of each vote's prompt."""
        ids, position = np.unique(table.prompt, return_inverse=True)
        named = [of(self._facts[key]) for key in ids.tolist()]
        return [named[each] for each in position.tolist()]


def pseudonyms(campaign: Campaign) -> dict[int, str]:
    """The pseudonym of everybody who took part, by id."""
    enrolled = campaign.enrolments.values_list("annotator_id", "annotator__pseudonym")
    return dict(enrolled)
