"""run_eval's wait for the samples of a campaign."""

import time
from collections.abc import Sequence

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.core.errors import EvalPlatformError
from evalplatform.core.words import time_in_words
from evalplatform.generation.estimates import seconds_to_finish
from evalplatform.generation.models import GenerationRequest, Sample
from evalplatform.generation.selectors import (
    GenerationProgress,
    live_workers,
    progress_of,
    request_named,
    too_large_for_all,
)
from evalplatform.generation.services import enqueue_samples

POLL_SECONDS = 1.0
ESTIMATE_SECONDS = 5.0


class GenerationStoppedError(EvalPlatformError):
    """A batch of this campaign failed on its worker, or somebody or its budget ended it."""


def wait_for_samples(samples: Sequence[Sample], name: str) -> None:
    """Show progress until every sample is ready.

    Raises `GenerationStoppedError` where no more will come, with the reason; what was made stays.
    """
    columns = (
        TextColumn("generating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples"),
        TextColumn("{task.fields[note]}"),
    )
    note, noted = "", 0.0
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(samples), note="")
        while True:
            progress = progress_of(samples)
            request = request_named(name)
            if time.monotonic() - noted > ESTIMATE_SECONDS:
                # Also takes up what another campaign that shares samples gave up.
                if request.is_going_on and not progress.failures:
                    enqueue_samples(samples=samples, request=request)
                note = _note(request, patient=time.monotonic() - started < 10)
                noted = time.monotonic()
            bar.update(task, completed=progress.ready, note=note)
            if progress.is_complete:
                return
            _refuse_to_wait(request, progress)
            time.sleep(POLL_SECONDS)


def _note(request: GenerationRequest, patient: bool) -> str:
    """Say what the bar alone does not: how long, or what it is waiting for."""
    if request.status == GenerationRequest.Status.PAUSED:
        return f"paused: go on with `manage.py generation resume {request}`"
    if not live_workers(timezone.now()):
        return "" if patient else "waiting for a worker: start one with `make worker`"
    if too_large := too_large_for_all(request, timezone.now()):
        return f"no worker has the memory for {', '.join(too_large)}: start one on a larger device"
    seconds = seconds_to_finish(request, timezone.now())
    return "" if seconds is None else f"about {time_in_words(seconds)} left"


def _refuse_to_wait(request: GenerationRequest, progress: GenerationProgress) -> None:
    """Raise where nothing will come any more. What was made is kept."""
    go_on = f"`manage.py run_eval --resume {request}`"
    kept = f"{progress.ready} of {progress.total} samples are kept."
    if progress.failures:
        raise GenerationStoppedError(
            f"{progress.failures[0]} — mend the cause, then {go_on}; {kept}"
        )
    if request.status == GenerationRequest.Status.CANCELLED:
        raise GenerationStoppedError(
            f"the generation of {request} was cancelled; {go_on} takes it up again; {kept}"
        )
    in_hand = request.batches.filter(status="running", lease_expires_at__gte=timezone.now())
    if request.is_budget_used and not in_hand.exists():
        raise GenerationStoppedError(
            f"the budget of {request} is used ({request.spent_seconds / 60:.1f} of "
            f"{(request.budget_seconds or 0) / 60:.1f} minutes of worker time); give more with "
            f"`manage.py run_eval --resume {request} --budget-minutes M`; {kept}"
        )
