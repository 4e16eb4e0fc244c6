"""Images that somebody should look at: passed over often, or dividing even the best annotators."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from django.urls import reverse

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign, Criterion
from evalplatform.quality.summary import SkippedItem
from evalplatform.reports.image_cards import cards_of
from evalplatform.reports.image_query import FoundItem, SetFilter, find_items
from evalplatform.reports.result_types import CampaignResults

_FEWEST = 10  # votes beside two others', of who can be told to be among the best
_MOST_SETS = 12
_DIVIDED = 0.5  # of pairs of votes


def looks_context(campaign: Campaign, results: CampaignResults) -> dict[str, Any]:
    """Return what the tab about quality shows beside its figures, each with its images."""
    best = _best(results)
    return {
        "skipped": _skipped(campaign, results.quality.skipped_often),
        "best": len(best),
        "broken_prompts": [
            {
                "label": criterion.label,
                "href": _address(campaign, criterion),
                "cards": cards_of(campaign, criterion, found, f"criterion={criterion.slug}"),
            }
            for criterion in campaign.criteria.all()
            if (found := _broken(campaign, criterion, best))
        ],
    }


def _best(results: CampaignResults) -> list[str]:
    """Return the half of the annotators who agree most often with the majority of others."""
    known = [
        each
        for each in results.quality.annotators
        if each.majority.total >= _FEWEST and not each.excluded_by
    ]
    known.sort(key=lambda each: each.majority.value or 0.0, reverse=True)
    return [each.pseudonym for each in known[: (len(known) + 1) // 2]]


def _broken(campaign: Campaign, criterion: Criterion, best: list[str]) -> list[FoundItem]:
    """Return the sets, of those that divide people most, that divide these people too."""
    if len(best) < 2:
        return []
    asked = SetFilter(criterion=criterion.slug, said="divided", sort="disagreement")
    divided = find_items(campaign, asked).items
    votes = Vote.objects.filter(
        assignment__item__in=[each.item for each in divided],
        assignment__purpose="main",
        annotator__pseudonym__in=best,
        retracted_at=None,
        exclusion=None,
    ).values_list("assignment__item", "grades")
    said: dict[int, list[tuple[int, ...]]] = {}
    for item, grades in votes:
        said.setdefault(item, []).append(tuple(grades))
    return [each for each in divided if _differ(said.get(each.item, []))][:_MOST_SETS]


def _differ(votes: list[tuple[int, ...]]) -> bool:
    pairs = [one != other for one, other in combinations(votes, 2)]
    return bool(pairs) and sum(pairs) >= _DIVIDED * len(pairs)


def _address(campaign: Campaign, criterion: Criterion) -> str:
    asked = SetFilter(criterion=criterion.slug, said="divided", sort="disagreement")
    return f"{reverse('reports:images', args=[campaign.slug])}?{asked.query}"


def _skipped(campaign: Campaign, often: list[SkippedItem]) -> list[tuple[SkippedItem, str]]:
    """Return each item that was passed over often with the address of its set."""
    positions = [each.position for each in often]
    sets = dict(campaign.items.filter(position__in=positions).values_list("position", "image_set"))
    return [
        (each, reverse("reports:image_set", args=[campaign.slug, sets[each.position]]))
        if each.position in sets
        else (each, "")
        for each in often
    ]
