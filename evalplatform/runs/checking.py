"""Looking after the safety checks of a run that asks for them."""

from collections.abc import Sequence
from datetime import datetime

from evalplatform.campaigns.models import Campaign, Picture
from evalplatform.campaigns.safety import counts_of, filter_counts, screen
from evalplatform.campaigns.selectors import ready_sets
from evalplatform.core.errors import EvalPlatformError
from evalplatform.safety.selectors import SafetyProgress, safety_progress
from evalplatform.safety.services import request_checks, wake_for_checks


class SafetyCheckFailedError(EvalPlatformError):
    """A worker could not check samples of this campaign."""


def look_at_checks(
    campaign: Campaign, pictures: Sequence[Picture], now: datetime
) -> SafetyProgress | None:
    """Return how far the checks are, and have what is missing made; None where none is asked for.

    Raises `SafetyCheckFailedError` with a worker's reason; what was checked stays.
    """
    rules = campaign.checked_rules.safety
    if rules.threshold is None:
        return None
    progress = safety_progress(rules.detector, pictures)
    if progress.failures:
        raise SafetyCheckFailedError(
            f"{progress.failures[0]} — mend the cause, then try again; {progress.checked:,} of "
            f"{progress.total:,} samples are checked.",
            by_command=f"`manage.py run_eval --resume {campaign.slug}` tries again.",
        )
    if progress.is_stuck:
        # The first look, or another version of the detector came into use: its scores are wanted.
        request_checks(pictures=pictures, detector=rules.detector, now=now)
    elif not progress.is_complete:
        wake_for_checks(detector=rules.detector, now=now)
    return progress


def filter_summary(campaign: Campaign) -> str | None:
    """Return one line on what the filter did, or will do when the campaign opens."""
    threshold = campaign.checked_rules.safety.threshold
    if threshold is None:
        return None
    if campaign.safety_detector is not None:
        detector, counts = campaign.safety_detector, filter_counts(campaign)
    else:
        screened = screen(campaign, ready_sets(campaign))
        assert screened.detector is not None
        detector, counts = screened.detector, counts_of(campaign, screened)
    return f"safety filter {detector} at {threshold:g}: {counts.sentence}"
