"""From votes to results: which groups are reported, and what is said of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils import timezone

from evalplatform import stats
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.version import code_version
from evalplatform.quality.summary import QualitySummary, quality_summary
from evalplatform.reports.selectors import Completeness, VoteTable, completeness_of, vote_table

STYLIZED = "stylized"


@dataclass(frozen=True)
class GroupResult:
    """One criterion on one set of prompts: at vote level and at verdict level."""

    criterion: str
    criterion_label: str
    prompts: str
    k: int
    rates: stats.WinRates
    verdicts: stats.Verdicts
    test: stats.SignTest
    agreement: stats.Agreement


@dataclass(frozen=True)
class WithExcluded:
    """The net preference of one group with and without the votes that were excluded."""

    criterion: str
    criterion_label: str
    prompts: str
    without: stats.Estimate | None  # None where every vote of the group was excluded
    with_excluded: stats.Estimate

    @property
    def votes_excluded(self) -> int:
        return self.with_excluded.n_votes - (self.without.n_votes if self.without else 0)


@dataclass(frozen=True)
class CategoryResult:
    """One criterion on one category or challenge: exploratory."""

    criterion_label: str
    kind: str
    name: str
    rates: stats.WinRates


@dataclass(frozen=True)
class CampaignResults:
    """Everything a report says; groups are empty until there is a vote that counts."""

    campaign: Campaign
    stored: VoteTable  # excluded votes among them
    completeness: Completeness
    quality: QualitySummary
    n_annotators: int
    n_simulated_votes: int
    groups: list[GroupResult]
    with_excluded: list[WithExcluded]  # empty while no vote is excluded
    categories: list[CategoryResult]
    side_bias: stats.SideBias | None
    median_response_ms: float | None
    code_version: str
    made_at: datetime

    @property
    def is_simulated(self) -> bool:
        """Whether anything reported rests on simulated answers: votes, excluded votes, checks."""
        return self.quality.simulated_answers > 0

    @property
    def simulated_stamp(self) -> str:
        """What must stand on every page, plot and export; empty when people cast every vote."""
        if not self.is_simulated:
            return ""
        simulated = sum(bool(each) for each in self.stored["is_simulated"])
        total = len(self.stored)
        if not simulated:
            return "SIMULATED: checks were answered by simulated annotators, not by people."
        who = "All" if simulated == total else f"{simulated:,} of {total:,}"
        what = "votes, excluded ones included," if self.quality.excluded_votes else "votes"
        return f"SIMULATED: {who} {what} were cast by simulated annotators, not by people."


def campaign_results(campaign: Campaign) -> CampaignResults:
    """Compute a campaign's results from the votes that count now."""
    stored = vote_table(campaign)
    table = stored.counting()
    times = [value for value in table["response_time_ms"] if isinstance(value, int)]
    groups = list(_groups(campaign, table))
    return CampaignResults(
        campaign=campaign,
        stored=stored,
        completeness=completeness_of(campaign),
        quality=quality_summary(campaign),
        n_annotators=len(set(table["annotator"])),
        n_simulated_votes=sum(bool(each) for each in table["is_simulated"]),
        groups=groups,
        with_excluded=_with_excluded(campaign, stored, groups) if len(table) < len(stored) else [],
        categories=list(_categories(campaign, table)),
        side_bias=_side_bias(table),
        median_response_ms=float(np.median(times)) if times else None,
        code_version=code_version(),
        made_at=timezone.now(),
    )


def _side_bias(table: VoteTable) -> stats.SideBias | None:
    decided = table.where(choice in ("left", "right") for choice in table["choice"])
    if not len(decided):
        return None
    chosen_left = np.array([choice == "left" for choice in decided["choice"]])
    return stats.side_bias(chosen_left, [str(each) for each in decided["annotator"]])


def _parts(campaign: Campaign, table: VoteTable) -> Iterator[tuple[Criterion, str, VoteTable]]:
    """Each criterion on each prompt set, on its stylized part, and on all sets together."""
    for criterion in campaign.criteria.all():
        votes = _of_criterion(table, criterion)
        sets = votes.rows(["prompt_set", "prompt_set_version"])
        names = sorted(set(sets), key=lambda pair: str(pair))
        for name, version in names:
            part = votes.where(each == (name, version) for each in sets)
            yield criterion, f"{name}@{version}", part
            stylized = part.where(
                isinstance(tags, list) and STYLIZED in tags for tags in part["tags"]
            )
            if 0 < len(stylized) < len(part):
                yield criterion, f"{name}@{version} ({STYLIZED})", stylized
        if len(names) > 1:
            yield criterion, "all sets", votes


def _of_criterion(table: VoteTable, criterion: Criterion) -> VoteTable:
    return table.where(kind == criterion.kind for kind in table["criterion"])


def _groups(campaign: Campaign, table: VoteTable) -> Iterator[GroupResult]:
    for criterion, prompts, part in _parts(campaign, table):
        yield _group(criterion, prompts, part)


def _with_excluded(
    campaign: Campaign, stored: VoteTable, groups: list[GroupResult]
) -> list[WithExcluded]:
    nets = {(group.criterion, group.prompts): group.rates.net for group in groups}
    return [
        WithExcluded(
            criterion=criterion.kind,
            criterion_label=criterion.get_kind_display(),
            prompts=prompts,
            without=nets.get((criterion.kind, prompts)),
            with_excluded=stats.win_rates(part.as_stats()).net,
        )
        for criterion, prompts, part in _parts(campaign, stored)
    ]


def _group(criterion: Criterion, prompts: str, table: VoteTable) -> GroupResult:
    votes = table.as_stats()
    return GroupResult(
        criterion=criterion.kind,
        criterion_label=criterion.get_kind_display(),
        prompts=prompts,
        k=criterion.k,
        rates=stats.win_rates(votes),
        verdicts=stats.verdicts(votes),
        test=stats.sign_test(votes),
        agreement=stats.agreement(votes),
    )


def _categories(campaign: Campaign, table: VoteTable) -> Iterator[CategoryResult]:
    for criterion in campaign.criteria.all():
        votes = _of_criterion(table, criterion)
        for kind in ("category", "challenge"):
            named = votes.where(votes[kind])
            if not len(named):
                continue
            by_name = stats.breakdown(named.as_stats(), [str(each) for each in named[kind]])
            for name in sorted(by_name, key=str):
                yield CategoryResult(criterion.get_kind_display(), kind, str(name), by_name[name])
