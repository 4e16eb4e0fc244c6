"""Looking after the samples of a run while workers make them."""

from datetime import datetime

from evalplatform.core.errors import EvalPlatformError
from evalplatform.core.words import time_in_words
from evalplatform.generation.estimates import seconds_to_finish
from evalplatform.generation.models import GenerationRequest
from evalplatform.generation.sample_keys import Asked
from evalplatform.generation.selectors import (
    NO_WORKER,
    GenerationProgress,
    live_workers,
    progress_of,
    request_named,
    too_large_for_all,
)
from evalplatform.generation.services import enqueue_samples

PAUSED = "paused: resume it to go on"


class GenerationStoppedError(EvalPlatformError):
    """A batch of this campaign failed on its worker, or somebody or its budget ended it."""


def look_at_samples(samples: Asked, name: str, now: datetime) -> GenerationProgress:
    """Return how far the samples of a run are.

    Raises `GenerationStoppedError` where no more will come, with the reason; what was made stays.
    """
    progress = progress_of(samples)
    if not progress.is_complete:
        _refuse_to_wait(request_named(name), progress, now)
    return progress


def tend(samples: Asked, name: str) -> None:
    """Queue what nobody is to make any more: what another run that shares samples gave up."""
    request = request_named(name)
    if request.is_going_on and not progress_of(samples).failures:
        enqueue_samples(samples=samples, request=request)


def note_on(name: str, now: datetime, *, patient: bool) -> str:
    """Say what counts alone do not: how long, or what is waited for."""
    request = request_named(name)
    if request.status == GenerationRequest.Status.PAUSED:
        return PAUSED
    if not live_workers(now):
        return "" if patient else NO_WORKER
    if too_large := too_large_for_all(request, now):
        names = ", ".join(too_large)
        return f"no worker has the memory for {names}: ask an operator for one on a larger device"
    seconds = seconds_to_finish(request, now)
    return "" if seconds is None else f"about {time_in_words(seconds)} left"


def _refuse_to_wait(
    request: GenerationRequest, progress: GenerationProgress, now: datetime
) -> None:
    """Raise where nothing will come any more. What was made is kept."""
    kept = f"{progress.ready} of {progress.total} samples are kept."
    if progress.failures:
        raise GenerationStoppedError(
            f"{progress.failures[0]} — mend the cause, then ask for them again; {kept}",
            by_command=f"`manage.py run_eval --resume {request}` does it.",
        )
    if request.status == GenerationRequest.Status.CANCELLED:
        raise GenerationStoppedError(
            f"the generation of {request} was cancelled; ask for it again to take it up; {kept}",
            by_command=f"`manage.py run_eval --resume {request}` does it.",
        )
    in_hand = request.batches.filter(status="running", lease_expires_at__gte=now)
    if request.is_budget_used and not in_hand.exists():
        raise GenerationStoppedError(
            f"the budget of {request} is used ({request.spent_seconds / 60:.1f} of "
            f"{(request.budget_seconds or 0) / 60:.1f} minutes of worker time); give it more; "
            f"{kept}",
            by_command=f"`manage.py run_eval --resume {request} --budget-minutes M` does it.",
        )
