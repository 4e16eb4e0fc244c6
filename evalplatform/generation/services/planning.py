"""Planning samples and putting them into batches."""

from array import array
from collections.abc import Iterable, Sequence
from functools import partial

from django.conf import settings as django_settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
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
from evalplatform.generation.sample_keys import Asked, SampleKeys, rows_of
from evalplatform.generation.selectors import live_workers
from evalplatform.generation.services.waking import send_wakes
from evalplatform.promptsets.models import Prompt


def plan_samples(
    *, checkpoint: Checkpoint, settings: SamplerSettings, wanted: Sequence[tuple[Prompt, int]]
) -> list[Sample]:
    """Return the rows for every (prompt, seed) of `wanted`, planning those that do not exist."""
    keys = plan_keys(checkpoint=checkpoint, settings=settings, parts=[wanted])
    by_key = {row.pk: row for row in rows_of(keys)}
    return [by_key[key] for key in keys]


def plan_keys(
    *,
    checkpoint: Checkpoint,
    settings: SamplerSettings,
    parts: Iterable[Sequence[tuple[Prompt, int]]],
) -> SampleKeys:
    """As `plan_samples`, part by part: no more than the rows of one part is held at once."""
    return SampleKeys(key for part in parts for key in _planned_part(checkpoint, settings, part))


def _planned_part(
    checkpoint: Checkpoint, settings: SamplerSettings, wanted: Sequence[tuple[Prompt, int]]
) -> list[int]:
    """Return the key of every (prompt, seed), in the order given."""
    same = Sample.objects.filter(checkpoint=checkpoint, settings=settings)
    rows = same.filter(prompt__in=[prompt.pk for prompt, _ in wanted])
    known = _keys_by_place(rows)
    missing = [each for each in wanted if (each[0].pk, each[1]) not in known]
    if missing:
        Sample.objects.bulk_create(
            [
                Sample(checkpoint=checkpoint, settings=settings, prompt=prompt, seed=seed)
                for prompt, seed in missing
            ],
            ignore_conflicts=True,
            batch_size=1000,
        )
        known = _keys_by_place(rows.all())
    return [known[prompt.pk, seed] for prompt, seed in wanted]


def _keys_by_place(rows: QuerySet[Sample]) -> dict[tuple[int, int], int]:
    found = rows.values_list("prompt_id", "seed", "pk")
    return {(prompt, seed): key for prompt, seed, key in found}


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


def enqueue_samples(*, samples: Asked, request: GenerationRequest) -> list[GenerationBatch]:
    """Put planned samples that nobody is to make into batches, and wake the workers.

    Samples of a failed or cancelled batch are queued anew, and those that wait in a batch of
    another request which is paused, cancelled or out of budget. Messages leave when the
    transaction commits.
    """
    with transaction.atomic():
        planned = rows_of(samples).filter(status=Sample.Status.PLANNED)
        # Locked first, looked at afterwards: whoever waited here sees the batches made meanwhile.
        list(planned.select_for_update().order_by("pk").values_list("pk", flat=True))
        free = planned.filter(Q(batch__isnull=True) | ~Q(batch__in=_at_work(request))).order_by(
            "checkpoint_id", "settings_id", "pk"
        )
        batches = _make_batches(free, request)
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


def _make_batches(free: QuerySet[Sample], request: GenerationRequest) -> list[GenerationBatch]:
    """Put samples, in the order of what makes them, into batches: two statements for all."""
    size = django_settings.GENERATION_BATCH_SIZE
    groups: dict[tuple[int, int], array[int]] = {}
    for checkpoint, settings, key in free.values_list("checkpoint_id", "settings_id", "pk"):
        groups.setdefault((checkpoint, settings), array("q")).append(key)
    held = [
        (GenerationBatch(request=request, checkpoint_id=checkpoint, settings_id=settings),
         keys[start : start + size])
        for (checkpoint, settings), keys in groups.items()
        for start in range(0, len(keys), size)
    ]  # fmt: skip
    batches = GenerationBatch.objects.bulk_create([batch for batch, _ in held], batch_size=1000)
    samples = [key for _, keys in held for key in keys]
    of_each = [batch.pk for batch, keys in held for _ in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_sample sample SET batch_id = put.batch"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS put(key, batch)"
            " WHERE sample.id = put.key",
            [samples, of_each],
        )
    return batches
