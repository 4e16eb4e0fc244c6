"""Planning samples and putting them into batches."""

from collections.abc import Sequence
from functools import partial

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from evalplatform.accounts.models import Project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import (
    BatchQuerySet,
    GenerationBatch,
    GenerationRequest,
    Sample,
    SamplerSettings,
)
from evalplatform.generation.selectors import live_workers
from evalplatform.generation.services.waking import send_wakes
from evalplatform.promptsets.models import Prompt


def plan_samples(
    *, checkpoint: Checkpoint, settings: SamplerSettings, wanted: Sequence[tuple[Prompt, int]]
) -> list[Sample]:
    """Return the rows for every (prompt, seed) of `wanted`, planning those that do not exist."""
    Sample.objects.bulk_create(
        [
            Sample(checkpoint=checkpoint, settings=settings, prompt=prompt, seed=seed)
            for prompt, seed in wanted
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    rows = Sample.objects.filter(
        checkpoint=checkpoint, settings=settings, prompt__in=[prompt for prompt, _ in wanted]
    )
    by_key = {(row.prompt_id, row.seed): row for row in rows}
    return [by_key[prompt.pk, seed] for prompt, seed in wanted]


def open_request(
    *,
    project: Project,
    name: str,
    priority: int | None = None,
    budget_seconds: int | None = None,
) -> GenerationRequest:
    """Return the request of this name, made or reopened; what is given replaces what it had."""
    request, _ = GenerationRequest.objects.get_or_create(name=name, defaults={"project": project})
    GenerationRequest.objects.filter(
        pk=request.pk, status=GenerationRequest.Status.CANCELLED
    ).update(status=GenerationRequest.Status.ACTIVE)
    request.refresh_from_db()
    if priority is not None:
        request.priority = priority
    if budget_seconds is not None:
        request.budget_seconds = budget_seconds
    request.full_clean()
    request.save(update_fields=["priority", "budget_seconds"])
    return request


def enqueue_samples(
    *, samples: Sequence[Sample], request: GenerationRequest
) -> list[GenerationBatch]:
    """Put planned samples that nobody is to make into batches, and wake the workers.

    Samples of a failed or cancelled batch are queued anew, and those that wait in a batch of
    another request which is paused, cancelled or out of budget. Messages leave when the
    transaction commits.
    """
    with transaction.atomic():
        asked = Sample.objects.filter(pk__in=[sample.pk for sample in samples])
        planned = asked.filter(status=Sample.Status.PLANNED)
        # Locked first, looked at afterwards: whoever waited here sees the batches made meanwhile.
        list(planned.select_for_update().order_by("pk").values_list("pk"))
        free = planned.filter(Q(batch__isnull=True) | ~Q(batch__in=_at_work(request))).order_by(
            "checkpoint_id", "settings_id", "pk"
        )
        groups: dict[tuple[int, int], list[Sample]] = {}
        for sample in free:
            groups.setdefault((sample.checkpoint_id, sample.settings_id), []).append(sample)
        batches = [
            _make_batch(group[start : start + django_settings.GENERATION_BATCH_SIZE], request)
            for group in groups.values()
            for start in range(0, len(group), django_settings.GENERATION_BATCH_SIZE)
        ]
        if batches:
            # Whoever starts later wakes itself.
            awake = len(live_workers(timezone.now())) or 1
            transaction.on_commit(partial(send_wakes, min(awake, len(batches))))
    return batches


def _at_work(request: GenerationRequest) -> BatchQuerySet:
    """Batches whose samples will come: this request's own, and others' that are going on."""
    unfinished = GenerationBatch.objects.unfinished()
    in_hand = Q(status=GenerationBatch.Status.RUNNING, lease_expires_at__gte=timezone.now())
    return unfinished.filter(
        in_hand | Q(request=request) | Q(pk__in=GenerationBatch.objects.allowed())
    )


def _make_batch(samples: Sequence[Sample], request: GenerationRequest) -> GenerationBatch:
    batch = GenerationBatch.objects.create(
        request=request,
        checkpoint_id=samples[0].checkpoint_id,
        settings_id=samples[0].settings_id,
    )
    Sample.objects.filter(pk__in=[sample.pk for sample in samples]).update(batch=batch)
    return batch
