"""run_eval's wait for the samples of a campaign."""

import time

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from evalplatform.generation.sample_keys import Asked
from evalplatform.generation.selectors import NO_WORKER
from evalplatform.runs.generation import PAUSED, look_at_samples, note_on, tend

POLL_SECONDS = 1.0
ESTIMATE_SECONDS = 5.0
_PATIENCE_SECONDS = 10


def note_of(name: str, *, patient: bool) -> str:
    """Return what `note_on` says, with the command that does what it advises."""
    note = note_on(name, timezone.now(), patient=patient)
    commands = {PAUSED: f"manage.py generation resume {name}", NO_WORKER: "make worker"}
    return f"{note} (`{commands[note]}`)" if note in commands else note


def wait_for_samples(samples: Asked, name: str) -> None:
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
            progress = look_at_samples(samples, name, timezone.now())
            if time.monotonic() - noted > ESTIMATE_SECONDS:
                tend(samples, name)
                patient = time.monotonic() - started < _PATIENCE_SECONDS
                note, noted = note_of(name, patient=patient), time.monotonic()
            bar.update(task, completed=progress.ready, note=note)
            if progress.is_complete:
                return
            time.sleep(POLL_SECONDS)
