"""From votes to results: which groups are reported, and what is said of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils import timezone

from evalplatform import stats
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.core.version import code_version
from evalplatform.reports.selectors import Completeness, VoteTable, completeness_of, vote_table

STYLIZED = "stylized"
_BOOTSTRAP_SEED = 20230927


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
class CategoryResult:
    """One criterion on one category or challenge: exploratory."""

    criterion_label: str
    kind: str
    name: str
    rates: stats.WinRates


@dataclass(frozen=True)
class CampaignResults:
    """Everything a report says; groups are empty until there is a vote."""

    campaign: Campaign
    completeness: Completeness
    n_annotators: int
    n_simulated_votes: int
    groups: list[GroupResult]
    categories: list[CategoryResult]
    side_bias: stats.SideBias | None
    median_response_ms: float | None
    code_version: str
    made_at: datetime

    @property
    def is_simulated(self) -> bool:
        return self.n_simulated_votes > 0

    @property
    def simulated_stamp(self) -> str:
        """What must stand on every page, plot and export; empty when people cast every vote."""
        if not self.is_simulated:
            return ""
        total = self.completeness.votes
        part = f"{self.n_simulated_votes:,} of {total:,}"
        who = "All" if self.n_simulated_votes == total else part
        return f"SIMULATED: {who} votes were cast by simulated annotators, not by people."


def campaign_results(campaign: Campaign) -> CampaignResults:
    """Compute a campaign's results from the votes that count now."""
    table = vote_table(campaign)
    decided = table.where(lambda row: row["choice"] != "tie")
    times = [value for value in table.columns["response_time_ms"] if isinstance(value, int)]
    return CampaignResults(
        campaign=campaign,
        completeness=completeness_of(campaign),
        n_annotators=len(set(table.columns["annotator"])),
        n_simulated_votes=sum(bool(each) for each in table.columns["is_simulated"]),
        groups=list(_groups(campaign, table)),
        categories=list(_categories(campaign, table)),
        side_bias=_side_bias(decided),
        median_response_ms=float(np.median(times)) if times else None,
        code_version=code_version(),
        made_at=timezone.now(),
    )


def _side_bias(decided: VoteTable) -> stats.SideBias | None:
    if not len(decided):
        return None
    chosen_left = np.array([choice == "left" for choice in decided.columns["choice"]])
    return stats.side_bias(chosen_left, [str(each) for each in decided.columns["annotator"]])


def _groups(campaign: Campaign, table: VoteTable) -> Iterator[GroupResult]:
    """Each criterion on each prompt set, on its stylized part, and on all sets together."""
    for criterion in campaign.criteria.all():
        votes = _of_criterion(table, criterion)
        names = sorted(
            set(votes.rows(["prompt_set", "prompt_set_version"])), key=lambda pair: str(pair)
        )
        for name, version in names:
            part = votes.where(_in_set(name, version))
            yield _group(criterion, f"{name}@{version}", part)
            stylized = part.where(_is_stylized)
            if 0 < len(stylized) < len(part):
                yield _group(criterion, f"{name}@{version} ({STYLIZED})", stylized)
        if len(names) > 1:
            yield _group(criterion, "all sets", votes)


def _of_criterion(table: VoteTable, criterion: Criterion) -> VoteTable:
    return table.where(lambda row: row["criterion"] == criterion.kind)


def _in_set(name: object, version: object) -> Callable[[dict[str, object]], bool]:
    return lambda row: (row["prompt_set"], row["prompt_set_version"]) == (name, version)


def _is_stylized(row: dict[str, object]) -> bool:
    tags = row["tags"]
    return isinstance(tags, list) and STYLIZED in tags


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
        agreement=stats.agreement(votes, rng=np.random.default_rng(_BOOTSTRAP_SEED)),
    )


def _categories(campaign: Campaign, table: VoteTable) -> Iterator[CategoryResult]:
    for criterion in campaign.criteria.all():
        votes = _of_criterion(table, criterion)
        for kind in ("category", "challenge"):
            named = votes.where(lambda row, kind=kind: bool(row[kind]))  # type: ignore[misc]
            if not len(named):
                continue
            by_name = stats.breakdown(named.as_stats(), [str(each) for each in named.columns[kind]])
            for name in sorted(by_name, key=str):
                yield CategoryResult(criterion.get_kind_display(), kind, str(name), by_name[name])
