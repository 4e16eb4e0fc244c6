"""Planning samples, handing them to workers, and filling them in."""

import hashlib
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from celery import current_app
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from PIL import Image

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.version import code_version
from evalplatform.generation.models import GenerationBatch, Sample, SamplerSettings
from evalplatform.promptsets.models import Prompt

TASK = "generation.generate_batch"


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


def enqueue_samples(*, samples: Sequence[Sample]) -> list[GenerationBatch]:
    """Put planned samples that no unfinished batch holds into batches, and wake the workers.

    Samples of a failed batch are queued anew. Messages leave when the transaction commits.
    """
    with transaction.atomic():
        free = (
            Sample.objects.select_for_update(of=["self"])
            .filter(pk__in=[sample.pk for sample in samples], status=Sample.Status.PLANNED)
            .filter(
                Q(batch__isnull=True)
                | ~Q(
                    batch__status__in=[
                        GenerationBatch.Status.QUEUED,
                        GenerationBatch.Status.RUNNING,
                    ]
                )
            )
            .order_by("checkpoint_id", "settings_id", "pk")
        )
        groups: dict[tuple[int, int], list[Sample]] = {}
        for sample in free:
            groups.setdefault((sample.checkpoint_id, sample.settings_id), []).append(sample)
        batches = [
            _make_batch(group[start : start + django_settings.GENERATION_BATCH_SIZE])
            for group in groups.values()
            for start in range(0, len(group), django_settings.GENERATION_BATCH_SIZE)
        ]
        for batch in batches:
            transaction.on_commit(partial(send_batch, batch_id=batch.pk))
    return batches


def _make_batch(samples: Sequence[Sample]) -> GenerationBatch:
    batch = GenerationBatch.objects.create(
        checkpoint_id=samples[0].checkpoint_id, settings_id=samples[0].settings_id
    )
    Sample.objects.filter(pk__in=[sample.pk for sample in samples]).update(batch=batch)
    return batch


def send_batch(*, batch_id: int) -> None:
    """Send the message that wakes a worker; sending it twice does no harm."""
    GenerationBatch.objects.filter(pk=batch_id).update(sent_at=timezone.now())
    current_app.send_task(TASK, args=[batch_id], queue="generation")


def resend_stalled_batches(*, now: datetime) -> int:
    """Wake workers again for batches nobody works on; return how many.

    Covers a killed worker (its lease ran out) and a message the broker lost.
    """
    quiet_since = now - timedelta(seconds=django_settings.GENERATION_LEASE_SECONDS)
    stalled = GenerationBatch.objects.claimable(now).filter(
        Q(sent_at__isnull=True) | Q(sent_at__lt=quiet_since)
    )
    identifiers = list(stalled.values_list("pk", flat=True))
    for identifier in identifiers:
        send_batch(batch_id=identifier)
    return len(identifiers)


def claim_batch(*, batch_id: int, worker: str, now: datetime) -> GenerationBatch | None:
    """Take a batch for `worker`, or return None where it is done or somebody else has it.

    One conditional update: of two workers with the same message, one gets the row.
    """
    taken = (
        GenerationBatch.objects.claimable(now)
        .filter(pk=batch_id)
        .update(
            status=GenerationBatch.Status.RUNNING,
            worker=worker,
            attempts=F("attempts") + 1,
            lease_expires_at=now + timedelta(seconds=django_settings.GENERATION_LEASE_SECONDS),
        )
    )
    if not taken:
        return None
    return GenerationBatch.objects.select_related("checkpoint", "settings").get(pk=batch_id)


def extend_leases(*, worker: str, now: datetime) -> None:
    """Keep what `worker` holds: called by its heartbeat as long as the process lives."""
    GenerationBatch.objects.filter(worker=worker, status=GenerationBatch.Status.RUNNING).update(
        lease_expires_at=now + timedelta(seconds=django_settings.GENERATION_LEASE_SECONDS)
    )


def record_sample(*, sample: Sample, image: Image.Image, now: datetime) -> None:
    """Store the image, then fill in the row: a kill between the two leaves the row planned.

    The image is re-encoded as PNG without metadata and named by its hash, so nothing in the file
    or its name tells which checkpoint made it.
    """
    content = encode_image(image)
    digest = hashlib.sha256(content).hexdigest()
    name = f"samples/{digest[:2]}/{digest}.png"
    if not default_storage.exists(name):
        name = default_storage.save(name, ContentFile(content))
    Sample.objects.filter(pk=sample.pk, status=Sample.Status.PLANNED).update(
        status=Sample.Status.READY,
        image=name,
        image_sha256=digest,
        width=image.width,
        height=image.height,
        code_version=code_version(),
        generated_at=now,
    )


def encode_image(image: Image.Image) -> bytes:
    """Return `image` as 8-bit RGB PNG bytes with no metadata at all."""
    bare = Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    buffer = io.BytesIO()
    bare.save(buffer, format="PNG")
    return buffer.getvalue()


def finish_batch(*, batch: GenerationBatch, now: datetime) -> None:
    """Mark a batch done, unless its lease was lost to another worker meanwhile."""
    GenerationBatch.objects.filter(pk=batch.pk, worker=batch.worker).update(
        status=GenerationBatch.Status.DONE, lease_expires_at=None, finished_at=now, error=""
    )


def fail_batch(*, batch: GenerationBatch, error: BaseException, now: datetime) -> None:
    """Mark a batch failed with the reason a person will read."""
    reason = f"{type(error).__name__}: {error}".strip()
    GenerationBatch.objects.filter(pk=batch.pk, worker=batch.worker).update(
        status=GenerationBatch.Status.FAILED,
        lease_expires_at=None,
        finished_at=now,
        error=reason[:2000],
    )
