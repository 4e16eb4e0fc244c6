"""What a researcher does with a request to the workers: pause it, go on, try again.

A request is a row with a status, and its jobs are rows as in `leased_jobs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.db import models, transaction

from evalplatform.core.errors import BadInputError
from evalplatform.core.leased_jobs import JobStatus


class RequestStatus(models.TextChoices):
    """Where a request is."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    CANCELLED = "cancelled", "Cancelled"


class _Request(Protocol):
    pk: Any
    status: Any


R = TypeVar("R", bound=_Request)


@dataclass(frozen=True)
class Steering(Generic[R]):
    """How requests of one kind are steered.

    Attributes:
        jobs: the jobs of a request.
        refusal_of_cancelled: why a cancelled one cannot be steered, and what to do.
        wake: wakes up to so many workers.
        workers: how many there are.
    """

    jobs: Callable[[R], models.QuerySet[Any]]
    refusal_of_cancelled: Callable[[R], BadInputError]
    wake: Callable[[int], None]
    workers: Callable[[], int]

    def pause(self, request: R) -> None:
        """Start no more of its jobs; those that run stop after the images in hand, which are kept.

        Raises `BadInputError` where it was cancelled.
        """
        self._change(request, RequestStatus.PAUSED)

    def resume(self, request: R) -> None:
        """Go on with a paused request. Raises `BadInputError` where it was cancelled."""
        self._change(request, RequestStatus.ACTIVE)
        self.wake_for(request)

    def retry(self, request: R) -> int:
        """Queue its failed jobs again; return how many. `BadInputError` if it was cancelled."""
        if request.status == RequestStatus.CANCELLED:
            raise self.refusal_of_cancelled(request)
        failed = self.jobs(request).filter(status=JobStatus.FAILED)
        retried = failed.update(
            status=JobStatus.QUEUED, attempts=0, error="", finished_at=None, worker=""
        )
        if retried:
            self.wake_for(request)
        return retried

    def wake_for(self, request: R) -> None:
        """Wake a worker for each job that waits, as far as there are any, on commit."""
        waiting = self.jobs(request).filter(status=JobStatus.QUEUED).count()
        count = min(waiting, self.workers() or 1)
        transaction.on_commit(lambda: self.wake(count))

    def _change(self, request: R, status: RequestStatus) -> None:
        rows = type(request)._default_manager.filter(pk=request.pk)  # type: ignore[attr-defined]
        if not rows.exclude(status=RequestStatus.CANCELLED).update(status=status):
            raise self.refusal_of_cancelled(request)
        request.status = status
