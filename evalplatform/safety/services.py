"""Asking for safety checks, and storing what a detector said.

A `SafetyRequest` row is the job; a message only wakes a worker. A worker locks some requests,
scores their images, stores the checks and removes the requests in one transaction: a worker that
is killed leaves every request as it was, and no two workers score the same image.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from celery import current_app
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.db.models import Q
from PIL import Image

from evalplatform.core.transparency import Ground, on_ground
from evalplatform.safety.models import SafetyCheck, SafetyDetector, SafetyRequest
from evalplatform.safety.selectors import Picture, unchecked

TASK = "generation.check_safety"
# Images checked under one lock and stored together.
BATCH = 32
# Images in memory at once.
_IMAGES_PER_STEP = 4

logger = logging.getLogger(__name__)


class Score(Protocol):
    """As `models_backend.detectors.base.SafetyScore`."""

    @property
    def score(self) -> float: ...

    @property
    def labels(self) -> dict[str, float]: ...


ScoreImages = Callable[[Sequence[Image.Image]], Sequence[Score]]


def request_checks(*, pictures: Sequence[Picture], detector: str, now: datetime) -> int:
    """Ask the workers to check those of `pictures` that the detector in use has not checked.

    They are made and stored. Asking twice does no harm; what failed is tried again. Messages leave
    when the transaction commits. Returns how many checks are missing.
    """
    missing = unchecked(detector, pictures)
    names = {each.image_sha256: each.image for each in pictures}
    with transaction.atomic():
        failed = SafetyRequest.objects.filter(detector=detector, image_sha256__in=missing)
        failed.exclude(error="").update(error="", sent_at=None)
        SafetyRequest.objects.bulk_create(
            [
                SafetyRequest(image=names[key], image_sha256=key, detector=detector)
                for key in sorted(missing)
            ],
            ignore_conflicts=True,
            batch_size=1000,
        )
        wake_for_checks(detector=detector, now=now)
    return len(missing)


def wake_for_checks(*, detector: str, now: datetime) -> int:
    """Wake workers for requests nobody was woken for yet; return how many requests.

    Once no worker has used the detector for a while, that includes those for which the messages
    are gone: a worker was killed, or the broker lost them. What is locked is being worked on.
    """
    quiet_since = now - timedelta(seconds=django_settings.GENERATION_LEASE_SECONDS)
    never_sent = Q(sent_at__isnull=True)
    at_work = SafetyDetector.objects.filter(name=detector, seen_at__gte=quiet_since).exists()
    with transaction.atomic():
        waiting = _open_requests(detector).filter(
            never_sent if at_work else never_sent | Q(sent_at__lt=quiet_since)
        )
        identifiers = list(waiting.values_list("pk", flat=True))
        SafetyRequest.objects.filter(pk__in=identifiers).update(sent_at=now)
        for _ in range(0, len(identifiers), BATCH):
            transaction.on_commit(
                partial(current_app.send_task, TASK, args=[detector], queue="generation")
            )
    return len(identifiers)


def detector_row(
    *, name: str, version: str, weights_sha256: str, unsafe_labels: Sequence[str], now: datetime
) -> SafetyDetector:
    """Return the row of a detector that a worker has loaded, marked as in use."""
    row, _ = SafetyDetector.objects.update_or_create(
        name=name,
        version=version,
        weights_sha256=weights_sha256,
        unsafe_labels=list(unsafe_labels),
        defaults={"seen_at": now},
    )
    return row


def check_batch(
    *, detector: SafetyDetector, score: ScoreImages, now: datetime, limit: int = BATCH
) -> int:
    """Check up to `limit` requested images that nobody else is checking; return how many.

    An image that cannot be read is marked with the reason, and the others go on. Whatever else
    fails is stored with all of them and raised.
    """
    taken: list[SafetyRequest] = []
    try:
        with transaction.atomic():
            taken = list(_open_requests(detector.name).order_by("pk")[:limit])
            return _check(taken, detector, score, now)
    except DatabaseError:
        raise  # nothing is wrong with the images; whoever waits for them asks again
    except Exception as error:
        fail_requests(requests=taken, error=error)
        raise


def fail_requests(*, requests: Sequence[SafetyRequest], error: BaseException) -> None:
    """Store why these could not be checked, for a person to read."""
    reason = f"{type(error).__name__}: {error}".strip()[:2000]
    SafetyRequest.objects.filter(pk__in=[each.pk for each in requests]).update(error=reason)


def fail_waiting(*, detector: str, error: BaseException) -> None:
    """Store why a worker could not even load the detector, with a batch that it would have had."""
    with transaction.atomic():
        fail_requests(requests=list(_open_requests(detector)[:BATCH]), error=error)


def _open_requests(detector: str):  # type: ignore[no-untyped-def]
    """Requests that nobody works on, locked; within a transaction."""
    return SafetyRequest.objects.select_for_update(of=("self",), skip_locked=True).filter(
        detector=detector, error=""
    )


def _check(
    requests: Sequence[SafetyRequest], detector: SafetyDetector, score: ScoreImages, now: datetime
) -> int:
    known = set(
        SafetyCheck.objects.filter(
            detector=detector, image_sha256__in=[each.image_sha256 for each in requests]
        ).values_list("image_sha256", flat=True)
    )
    new = [each for each in requests if each.image_sha256 not in known]
    unreadable: set[int] = set()
    checks: list[SafetyCheck] = []
    for start in range(0, len(new), _IMAGES_PER_STEP):
        images = {}
        for request in new[start : start + _IMAGES_PER_STEP]:
            try:
                images[request.image_sha256] = _read(request.image)
            except (OSError, ValueError, SyntaxError) as error:
                unreadable.add(request.pk)
                fail_requests(requests=[request], error=error)
        for key, found in zip(images, score(list(images.values())), strict=True):
            checks.append(
                SafetyCheck(
                    image_sha256=key, detector=detector, score=found.score, labels=found.labels,
                    checked_at=now,
                )
            )  # fmt: skip
    SafetyCheck.objects.bulk_create(checks)
    done = [each.pk for each in requests if each.pk not in unreadable]
    SafetyRequest.objects.filter(pk__in=done).delete()
    return len(checks)


def _read(name: str) -> Image.Image:
    with default_storage.open(name) as file, Image.open(file) as image:
        return on_ground(image, Ground.WHITE)
