"""What annotators see of a campaign, for a researcher: nothing is leased, stored or enrolled."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from evalplatform.annotation.models import Assignment
from evalplatform.annotation.presentation import pair_shown
from evalplatform.campaigns.models import Campaign

SIDES = ("left", "right")


def slot_at(campaign: Campaign, position: int) -> Assignment | None:
    """Return the first slot of the comparison at this place of the campaign's order."""
    slots = Assignment.objects.main().filter(campaign=campaign, serve_order=position)
    return slots.select_related(
        "comparison__criterion", "comparison__prompt", "comparison__sample_a"
    ).first()


def pair_context(campaign: Campaign, slot: Assignment) -> dict[str, Any]:
    """Return what `reports/preview_pair.html` shows: a page of the annotator's with this pair."""
    position, total = slot.serve_order, campaign.comparison_count
    pair = pair_shown(slot)
    for side in SIDES:
        pair[side] = reverse("reports:preview_image", args=[campaign.slug, position, side])
    return {
        "campaign": campaign,
        "pair": pair,
        "state": {
            "state": "pair",
            "progress": {"done": position, "total": total},
            "pairs": [pair],
            "undo": None,
            "break_every": None,
        },
        "me": "",
        "shown_px": min(max(512, slot.comparison.sample_a.width or 0), 1024) // 256 * 256,  # type: ignore[union-attr]  # a main slot has one
        "number": position + 1,
        "next": (position + 1) % total,
        "firsts": _first_of_each_criterion(campaign),
        "criterion": slot.criterion,
    }


def _first_of_each_criterion(campaign: Campaign) -> list[tuple[str, int]]:
    """Return (criterion, position of its first comparison), in the campaign's order."""
    return [
        (criterion.get_kind_display(), first)
        for criterion in campaign.criteria.all()
        if (first := criterion.comparisons.values_list("position", flat=True).first()) is not None
    ]
