"""How long it will take, from what it took so far."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, F, Q, Sum

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import (
    GenerationBatch,
    GenerationRequest,
    Sample,
    SamplerSettings,
)
from evalplatform.generation.selectors import live_workers

Kind = tuple[int, int]  # of checkpoint and settings


def seconds_to_finish(request: GenerationRequest, now: datetime) -> float | None:
    """Return the seconds until the request's last sample, or None where nothing can be said.

    Samples still planned, its own and those of requests before it, each at the worker time that
    its checkpoint and settings took so far, shared by the live workers. None while no worker lives,
    nothing like it has been made yet, or the request is not going on.
    """
    workers = len(live_workers(now))
    if not workers or request.status != GenerationRequest.Status.ACTIVE or request.is_budget_used:
        return None
    waiting = _planned(_up_to(request))
    speeds = _seconds_per_image(kind for kind, _ in waiting)
    if not waiting:
        return 0.0
    if not speeds:
        return None
    typical = sum(speeds.values()) / len(speeds)
    return sum(count * speeds.get(kind, typical) for kind, count in waiting) / workers


def seconds_per_image(checkpoint: Checkpoint, settings: SamplerSettings) -> float | None:
    """Return the worker time of one image: measured, or reckoned from the nearest that was.

    As these settings took so far; else as the checkpoint took with others, by the step; else as
    its family took, by the step. None where nothing of the family was ever made here.
    """
    exact = _seconds_per_image([(checkpoint.pk, settings.pk)]).get((checkpoint.pk, settings.pk))
    if exact is not None:
        return exact
    made = GenerationBatch.objects.filter(images_made__gt=0)
    for nearest in (
        made.filter(checkpoint=checkpoint),
        made.filter(checkpoint__family=checkpoint.family),
    ):
        sums = nearest.aggregate(
            took=Sum("seconds"), steps=Sum(F("images_made") * F("settings__steps"))
        )
        if sums["steps"]:
            return float(sums["took"] / sums["steps"] * settings.steps)
    return None


def _up_to(request: GenerationRequest) -> list[int]:
    """Return the requests that are served no later than this one."""
    active = GenerationRequest.objects.filter(status=GenerationRequest.Status.ACTIVE)
    before = Q(priority__gt=request.priority) | Q(
        priority=request.priority, created_at__lt=request.created_at
    )
    return [*active.filter(before).values_list("pk", flat=True), request.pk]


def _planned(requests: list[int]) -> list[tuple[Kind, int]]:
    rows = (
        Sample.objects.filter(
            status=Sample.Status.PLANNED,
            batch__request__in=requests,
            batch__in=GenerationBatch.objects.allowed().unfinished(),
        )
        .values_list("checkpoint_id", "settings_id")
        .annotate(count=Count("pk"))
    )
    return [((checkpoint, settings), count) for checkpoint, settings, count in rows]


def _seconds_per_image(kinds: Iterable[Kind]) -> dict[Kind, float]:
    """Return the mean worker time per image for those kinds that were ever made."""
    wanted = set(kinds)
    rows = (
        GenerationBatch.objects.filter(
            images_made__gt=0, checkpoint_id__in=[each[0] for each in wanted]
        )
        .values_list("checkpoint_id", "settings_id")
        .annotate(seconds_used=Sum("seconds"), images=Sum("images_made"))
    )
    return {
        (checkpoint, settings): seconds / images
        for checkpoint, settings, seconds, images in rows
        if (checkpoint, settings) in wanted
    }
