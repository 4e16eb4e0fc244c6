"""run_eval's wait for the safety checks of a campaign that asks for them."""

import time
from collections.abc import Sequence

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.safety import counts_of, filter_counts, screen
from evalplatform.campaigns.selectors import sample_pairs
from evalplatform.core.errors import EvalPlatformError
from evalplatform.generation.models import Sample
from evalplatform.generation.safety_selectors import safety_progress
from evalplatform.generation.safety_services import request_checks, wake_for_checks
from evalplatform.generation.selectors import live_workers

POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10


class SafetyCheckFailedError(EvalPlatformError):
    """A worker could not check samples of this campaign."""


def wait_for_checks(campaign: Campaign, samples: Sequence[Sample]) -> None:
    """Have every sample checked where the rules ask for it, and show progress until it is.

    Raises `SafetyCheckFailedError` with a worker's reason; what was checked stays.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is None or not request_checks(
        samples=samples, detector=rules.detector, now=timezone.now()
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
        task = bar.add_task("", total=len(samples), note="")
        before = -1
        while True:
            progress = safety_progress(rules.detector, samples)
            bar.update(task, completed=progress.checked)
            if progress.failures:
                raise SafetyCheckFailedError(
                    f"{progress.failures[0]} — mend the cause, then `manage.py run_eval --resume "
                    f"{campaign.slug}`; "
                    f"{progress.checked:,} of {progress.total:,} samples are checked."
                )
            if progress.is_complete:
                return
            if progress.checked != before or live_workers(timezone.now()):
                before, moved = progress.checked, time.monotonic()
            if progress.is_stuck:
                # Another version of the detector came into use: its scores are wanted now.
                request_checks(samples=samples, detector=rules.detector, now=timezone.now())
            else:
                wake_for_checks(detector=rules.detector, now=timezone.now())
            waiting = time.monotonic() - moved > _PATIENCE_SECONDS
            bar.update(
                task, note="waiting for a worker: start one with `make worker`" if waiting else ""
            )
            time.sleep(POLL_SECONDS)


def filter_summary(campaign: Campaign) -> str | None:
    """Return one line on what the filter did, or will do when the campaign opens."""
    threshold = campaign.checked_rules.safety.threshold
    if threshold is None:
        return None
    if campaign.safety_detector is not None:
        detector, counts = campaign.safety_detector, filter_counts(campaign)
    else:
        screened = screen(campaign, sample_pairs(campaign))
        assert screened.detector is not None
        detector, counts = screened.detector, counts_of(screened.filtered, len(screened.passed))
    return f"safety filter {detector} at {threshold:g}: {counts.sentence}"
