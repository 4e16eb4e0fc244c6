"""A campaign before it opens: how far its images are, what hinders, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evalplatform.campaigns.holding import why_held
from evalplatform.campaigns.models import Arm, Campaign, Picture
from evalplatform.campaigns.selectors import (
    PlannedSet,
    image_places,
    planned_prompts,
    planned_sets,
    ready_pictures,
    sets_of_pictures,
)
from evalplatform.generation.awaiting import why_none_come
from evalplatform.generation.models import Sample
from evalplatform.generation.overview import RequestRow, request_row
from evalplatform.generation.selectors import live_workers
from evalplatform.reports.steps import steps_of
from evalplatform.safety.selectors import SafetyProgress, safety_progress

PREPARING = (Campaign.Status.DRAFT, Campaign.Status.GENERATING)
_SAMPLES = 6  # made last, shown small


@dataclass(frozen=True)
class ArmProgress:
    """One arm's images: samples that are made, or those of its collection."""

    arm: Arm
    ready: int
    total: int


def preparing_context(campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return what `reports/_preparing.html` shows."""
    prompts = planned_prompts(campaign)
    planned = planned_sets(campaign, prompts)
    ready = ready_pictures(campaign, prompts)
    counts = Counter(place for place, *_ in ready)
    each = len(image_places(campaign, prompts))
    arms = [ArmProgress(arm, counts[arm.place], each) for arm in campaign.contenders]
    pictures = list(ready.values())
    is_made = len(pictures) == each * len(arms)
    row = request_row(campaign.slug, now)
    safety = _safety(campaign, pictures) if is_made else None
    hindrance = "" if is_made else why_none_come(row, now)
    is_checked = is_made and (safety is None or safety.is_complete)
    held = (
        why_held(campaign, sets_of_pictures(campaign, prompts, planned, ready))
        if is_checked
        else None
    )
    return {
        "campaign": campaign,
        "arms": arms,
        "prompts": len(prompts),
        "votes": _votes_wanted(campaign, planned),
        "row": row,
        "rate": _rate(row, now),
        "hindrance": hindrance,
        "active": int(not hindrance and held is None),  # whether it is worth asking again soon
        "safety": safety,
        "held": held,
        "steps": steps_of(campaign),
        "latest": _latest(pictures),
    }


def _votes_wanted(campaign: Campaign, sets: Sequence[PlannedSet]) -> int:
    sizes = Counter(len(planned.places) for planned in sets)
    return sum(
        each.k * sum(count for size, count in sizes.items() if each.shape.takes(size))
        for each in campaign.criteria.all()
    )


def _safety(campaign: Campaign, pictures: list[Picture]) -> SafetyProgress | None:
    rules = campaign.checked_rules.safety
    return None if rules.threshold is None else safety_progress(rules.detector, pictures)


def _rate(row: RequestRow | None, now: datetime) -> str:
    """Return the images a second of the workers that make this campaign's samples, if any do."""
    if row is None:
        return ""
    rates = [
        worker.images_per_second
        for worker in live_workers(now)
        if worker.images_per_second and worker.batch and worker.batch.request_id == row.request.pk
    ]
    return f"{sum(rates):.3g}" if rates else ""


def _latest(pictures: list[Picture]) -> list[Sample]:
    made = [each.pk for each in pictures if isinstance(each, Sample)]
    rows = Sample.objects.filter(pk__in=made, generated_at__isnull=False)
    return list(rows.select_related("prompt").order_by("-generated_at")[:_SAMPLES])
