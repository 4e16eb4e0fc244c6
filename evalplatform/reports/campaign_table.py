"""The list of campaigns: sorted, searched and filtered by the address."""

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet
from django.http import QueryDict

from evalplatform.campaigns.models import Campaign
from evalplatform.core.components import DataTable, ForestRow, TableColumn
from evalplatform.reports.cached import last_results
from evalplatform.reports.models import KeptResults
from evalplatform.reports.overview_tab import mini_row
from evalplatform.reports.selectors import CampaignSummary, campaign_summaries

_KEPT_SECONDS = 7 * 24 * 3600
_COLUMNS = (
    TableColumn("name", "Campaign", sort="slug"),
    TableColumn("arms", "Arms"),
    TableColumn("state", "State", sort="status"),
    TableColumn("votes", "Votes"),
    TableColumn(
        "net", "First criterion, all prompts", help="A’s lead in points with its 95 % interval"
    ),
    TableColumn("created", "Created", sort="created_at", descends=True),
)


@dataclass(frozen=True)
class ListedCampaign:
    """One line: the campaign as it stands, and its first answer where it is of two arms."""

    summary: CampaignSummary
    net: ForestRow | None


def campaign_table(found: QuerySet[Campaign], params: QueryDict) -> DataTable:
    """Return the table of these campaigns; `?state=` keeps those in one state."""
    state = params.get("state", "")
    if state in Campaign.Status.values:
        found = found.filter(status=state)
    return DataTable(
        _COLUMNS, found, params, search=("slug", "arms__checkpoint__name"), default="-created",
        shown_as=_listed,
    )  # fmt: skip


def state_choices(params: QueryDict) -> list[tuple[str, str, bool]]:
    """Return the states to filter by: (value, label, is chosen)."""
    chosen = params.get("state", "")
    return [(value, str(label), value == chosen) for value, label in Campaign.Status.choices]


def _listed(campaigns: list[Campaign]) -> list[ListedCampaign]:
    keys = [each.pk for each in campaigns]
    summaries = {
        each.campaign.pk: each
        for each in campaign_summaries(Campaign.objects.filter(pk__in=keys).order_by())
    }
    nets = _nets(campaigns)
    return [ListedCampaign(summaries[key], nets.get(key)) for key in keys]


def _nets(campaigns: list[Campaign]) -> dict[int, ForestRow | None]:
    """Return the first answers of the last results there are; none is computed for a list.

    Reading results takes a while, so what is shown of them is kept until there are others.
    """
    marks = dict(KeptResults.objects.filter(campaign__in=campaigns).values_list("campaign", "mark"))
    names = {key: f"first-answer:{key}:{mark}" for key, mark in marks.items()}
    kept: dict[str, Any] = cache.get_many(names.values())
    nets = {}
    for campaign in campaigns:
        name = names.get(campaign.pk)
        if name is None:
            continue
        if name not in kept:
            results = last_results(campaign).results
            kept[name] = mini_row(results) if results else None
            cache.set(name, kept[name], _KEPT_SECONDS)
        nets[campaign.pk] = kept[name]
    return nets
