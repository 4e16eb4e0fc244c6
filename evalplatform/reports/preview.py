"""What annotators see of a campaign, for a researcher: nothing is leased, stored or enrolled."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from evalplatform.annotation.models import Assignment
from evalplatform.annotation.presentation import set_shown
from evalplatform.campaigns.models import Campaign, ShownImage


def slot_at(campaign: Campaign, position: int) -> Assignment | None:
    """Return the first slot of the item at this place of the campaign's order."""
    slots = Assignment.objects.main().filter(campaign=campaign, serve_order=position)
    return slots.select_related("item__criterion", "item__image_set").first()


def image_at(slot: Assignment, at: int) -> str | None:
    """Return the file that stands at this position of a slot; None where nothing does."""
    if at >= len(slot.order):
        return None
    image = slot.item.image_set.images.get(place=slot.order[at])
    return image.copies[slot.item.copy]


def set_context(campaign: Campaign, slot: Assignment) -> dict[str, Any]:
    """Return what `reports/preview_set.html` shows: a page of the annotator's with this set."""
    position, total = slot.serve_order, campaign.item_count
    firsts = _first_of_each_criterion(campaign)
    shown = set_shown(slot)
    shown["images"] = [
        reverse("reports:preview_image", args=[campaign.slug, position, at])
        for at in range(len(slot.order))
    ]
    return {
        "campaign": campaign,
        "shown": shown,
        "state": {
            "state": "judge",
            "progress": {"done": position, "total": total},
            "sets": [shown],
            "undo": None,
            "break_every": None,
        },
        "me": "",
        "layout": campaign.checked_rules.annotation.layout.value,
        "explains": any(position == first for _, first in firsts),
        "shown_px": min(max(512, _width(slot)), 1024) // 256 * 256,
        "number": position + 1,
        "next": (position + 1) % total,
        "firsts": firsts,
        "criterion": slot.item.criterion,
    }


def _width(slot: Assignment) -> int:
    first = ShownImage.objects.filter(image_set=slot.item.image_set_id, sample__isnull=False)
    return first.values_list("sample__width", flat=True).first() or 0


def _first_of_each_criterion(campaign: Campaign) -> list[tuple[str, int]]:
    """Return (criterion, position of its first item), in the campaign's order."""
    return [
        (criterion.label, first)
        for criterion in campaign.criteria.all()
        if (first := criterion.items.main().values_list("position", flat=True).first()) is not None
    ]
