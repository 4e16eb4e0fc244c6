"""run_eval's wait for the safety checks of a campaign that asks for them."""

import time
from collections.abc import Sequence

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evalplatform.campaigns.models import Campaign, Picture
from evalplatform.generation.selectors import live_workers
from evalplatform.runs.checking import look_at_checks
from evalplatform.safety.services import request_checks

POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10


def wait_for_checks(campaign: Campaign, pictures: Sequence[Picture]) -> None:
    """Have every image checked where the rules ask for it, and show progress until it is.

    What failed before is tried again. Raises `SafetyCheckFailedError` with a worker's reason; what
    was checked stays.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is None or not request_checks(
        pictures=pictures, detector=rules.detector, now=timezone.now()
    ):
        return
    columns = (
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples for safety"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    moved = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(pictures), note="")
        before = -1
        while True:
            progress = look_at_checks(campaign, pictures, timezone.now())
            assert progress  # a threshold is set
            bar.update(task, completed=progress.checked)
            if progress.is_complete:
                return
            if progress.checked != before or live_workers(timezone.now()):
                before, moved = progress.checked, time.monotonic()
            waiting = time.monotonic() - moved > _PATIENCE_SECONDS
            bar.update(
                task, note="waiting for a worker: start one with `make worker`" if waiting else ""
            )
            time.sleep(POLL_SECONDS)
