"""The tab about people: how alike they vote, who was excluded, who answers alike."""

from typing import Any

from evalplatform.reports.cells import coefficient, percent, percent_of, ring_cells
from evalplatform.reports.prompts import row_name
from evalplatform.reports.result_types import CampaignResults, GroupResult
from evalplatform.reports.table import NOT_EXCLUDED


def people_context(results: CampaignResults) -> dict[str, Any]:
    """Return what `reports/tabs/_people.html` shows."""
    return {
        "quality": results.quality,
        "alike": [_alike(group) for group in results.groups],
        "people": [
            (each, results.profiles.get(each.pseudonym)) for each in results.quality.annotators
        ],
        "with_excluded": _with_excluded(results),
        "rings": results.rings.rings,
        "without_rings": [
            (each.criterion_label, each.prompts, *ring_cells(each), f"{each.votes_fewer:,}")
            for each in results.without_rings
        ],
        "not_excluded": NOT_EXCLUDED,
    }


def _alike(group: GroupResult) -> dict[str, Any]:
    agreement = group.agreement
    return {
        "criterion": group.criterion_label,
        "prompts": row_name(group.prompts, group.depth),
        "depth": group.depth,
        "percent_agreement": percent_of(agreement.percent),
        "alpha": coefficient(agreement.alpha),
        "alpha_ordinal": coefficient(agreement.alpha_ordinal),
        "gwet_ac1": coefficient(agreement.gwet_ac1),
        "design_effect": group.rates.net.design_effect,
    }


def _with_excluded(results: CampaignResults) -> list[dict[str, Any]]:
    return [
        {
            "criterion": each.criterion_label,
            "prompts": each.prompts,
            "without": percent(each.without, signed=True) if each.without else "–",
            "with_excluded": percent(each.with_excluded, signed=True),
            "votes": each.votes_excluded,
        }
        for each in results.with_excluded
    ]
