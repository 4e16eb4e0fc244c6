"""The Celery task that checks samples: beside `tasks`, the only door to `models_backend`.

The detector is imported inside the task body, so nothing is loaded where no campaign asks for it.
"""

import functools
from typing import Any

from celery import shared_task
from django.utils import timezone

from evalplatform.safety import services


@shared_task(name=services.TASK)
def check_safety(detector: str) -> int:
    """Check a batch of the samples requested for this detector; return how many were checked."""
    try:
        loaded = _warm_detector(detector)
    except Exception as error:
        # Stored for a person to read: mostly, that this worker lacks the detector's package.
        services.fail_waiting(detector=detector, error=error)
        raise
    identity, now = loaded.identity, timezone.now()
    row = services.detector_row(
        name=identity.name,
        version=identity.version,
        weights_sha256=identity.weights_sha256,
        unsafe_labels=identity.unsafe_labels,
        now=now,
    )
    return services.check_batch(detector=row, score=loaded.score, now=now)


@functools.lru_cache(maxsize=2)
def _warm_detector(name: str) -> Any:
    from models_backend.detectors.registry import load_detector

    return load_detector(name)
