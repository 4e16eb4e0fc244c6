"""The tab about people: how alike they vote, who was excluded, who answers alike."""

from collections.abc import Sequence
from typing import Any

from evalplatform.reports.cells import coefficient, other_votes_cells, percent_of
from evalplatform.reports.other_votes import OtherVotes
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
        "with_excluded": _beside(results.with_excluded),
        "rings": results.rings.rings,
        "without_rings": _beside(results.without_rings),
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


def _beside(found: Sequence[OtherVotes]) -> list[tuple[str, ...]]:
    return [
        (each.criterion_label, each.prompts, *other_votes_cells(each), f"{each.votes:,}")
        for each in found
    ]
