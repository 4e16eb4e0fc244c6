"""Workers find uploads that nobody verifies also while nobody reads: a thread looks at times."""

from django.utils import timezone

from evalplatform.checkpoints.services import wake_stalled_uploads
from evalplatform.core.beside_workers import look_beside_workers

SECONDS_BETWEEN = 30.0
_PATIENCE = 5.0  # seconds that a worker that ends waits for a look


def tick() -> None:
    """One look at all uploads that have not ended."""
    wake_stalled_uploads(now=timezone.now())


look_beside_workers(
    "uploads",
    tick,
    seconds=SECONDS_BETWEEN,
    failed="uploads could not be looked after",
    patience=_PATIENCE,
)
